# spark1: Stop serve
if grep -qsxzF SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark1/serve /proc/"$(cat /opt/spark/.state/rehearsal/spark1/serve.pid 2>/dev/null)"/environ; then
  kill -s TERM -- -"$(cat /opt/spark/.state/rehearsal/spark1/serve.pid)"
  timeout 20 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /opt/spark/.state/rehearsal/spark1/serve.pid 2>/dev/null || kill -s KILL -- -"$(cat /opt/spark/.state/rehearsal/spark1/serve.pid)"
fi

# spark1: Stop ray
if grep -qsxzF SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark1/ray /proc/"$(cat /opt/spark/.state/rehearsal/spark1/ray.pid 2>/dev/null)"/environ; then
  kill -s TERM -- -"$(cat /opt/spark/.state/rehearsal/spark1/ray.pid)"
  timeout 5 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /opt/spark/.state/rehearsal/spark1/ray.pid 2>/dev/null || kill -s KILL -- -"$(cat /opt/spark/.state/rehearsal/spark1/ray.pid)"
fi

# spark2: Stop ray
if grep -qsxzF SPARK_CLUSTER_SERVICE=/opt/spark/.state/rehearsal/spark2/ray /proc/"$(cat /opt/spark/.state/rehearsal/spark2/ray.pid 2>/dev/null)"/environ; then
  kill -s TERM -- -"$(cat /opt/spark/.state/rehearsal/spark2/ray.pid)"
  timeout 5 sh -c 'while kill -s 0 -- -"$(cat "$0")"; do sleep 0.1; done' /opt/spark/.state/rehearsal/spark2/ray.pid 2>/dev/null || kill -s KILL -- -"$(cat /opt/spark/.state/rehearsal/spark2/ray.pid)"
fi

# spark1: Kill leftover processes
grep -lzsE '^SPARK_CLUSTER_NODE=/opt/spark/\.state/rehearsal/spark1(/|$)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL

# spark2: Kill leftover processes
grep -lzsE '^SPARK_CLUSTER_NODE=/opt/spark/\.state/rehearsal/spark2(/|$)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL

# spark1: Remove the run state
rm -rf -- /opt/spark/.state/rehearsal/spark1

# spark2: Remove the run state
rm -rf -- /opt/spark/.state/rehearsal/spark2

# link: Kill leftover processes
grep -lzsE '^SPARK_CLUSTER_NODE=/opt/spark/\.state/rehearsal/link(/|$)' /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -KILL

# link: Remove the run state
rm -rf -- /opt/spark/.state/rehearsal
