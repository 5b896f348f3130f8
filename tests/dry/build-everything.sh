# me/vllm:1: Make a folder
mkdir -p -m 700 /opt/spark/.state

# me/vllm:1: Put local wheels into the build context
ln -f /opt/wheels/torch-2.13.0+cpu.whl /opt/spark/docker/wheels 2>/dev/null || cp /opt/wheels/torch-2.13.0+cpu.whl /opt/spark/docker/wheels

# me/vllm:1: Build the image
DOCKER_BUILDKIT=1 \
  BUILD_PIP_CONF="[global]
index-url = ${PIP_INDEX_URL:?contains a login, take it from PIP_INDEX_URL}
trusted-host = a \"\$b\"
" \
  docker build --file /opt/spark/docker/Dockerfile --tag me/vllm:1 \
  --network host --progress plain --iidfile /opt/spark/.state/build.id \
  --platform linux/arm64 \
  --pull \
  --no-cache \
  --build-arg DEVICE=cpu \
  --build-arg VLLM=source \
  --build-arg BASE=debian:12-slim \
  --build-arg VLLM_REPO=https://git.example/vllm.git \
  --build-arg VLLM_REF=main \
  --build-arg MAX_JOBS=4 \
  --build-arg REVISION=1a2b3c \
  --build-arg CACHEBUST_SYSTEM=1 \
  --build-arg CACHEBUST_DEPS=2 \
  --build-arg CACHEBUST_VLLM=3 \
  --build-arg HTTPS_PROXY \
  --build-arg no_proxy \
  --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt \
  --secret id=pip,env=BUILD_PIP_CONF \
  /opt/spark
