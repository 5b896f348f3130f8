# vllm-node: Make a folder
mkdir -p -m 700 /opt/spark/.state

# vllm-node: Put local wheels into the build context
ln -f /opt/wheels/torch-2.13.0+cpu.whl /opt/spark/docker/wheels 2>/dev/null || cp /opt/wheels/torch-2.13.0+cpu.whl /opt/spark/docker/wheels

# vllm-node: Build the image
DOCKER_BUILDKIT=1 \
  docker build --file /opt/spark/docker/Dockerfile --tag vllm-node \
  --network host --progress plain --iidfile /opt/spark/.state/build.id \
  --build-arg DEVICE=cpu \
  --build-arg VLLM=wheel \
  --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt \
  /opt/spark
