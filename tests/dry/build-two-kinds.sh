# vllm-node: Make a folder
mkdir -p -m 700 /opt/spark/.state

# vllm-node: Build the image
DOCKER_BUILDKIT=1 \
  docker build --file /opt/spark/docker/Dockerfile --tag vllm-node \
  --network host --progress plain --iidfile /opt/spark/.state/build.id \
  --build-arg 'ARCH=12.0 12.1a' \
  --build-arg VLLM=wheel \
  /opt/spark
