# SPDX-License-Identifier: LGPL-2.1-or-later
# rvosseg on Debian 13. Built from the root of the repository:
#
#     docker build -t rvosseg .                     # --build-arg DEBIAN=12: on Debian 12
#     docker run --rm -v "$PWD:/video" rvosseg \
#         gst-launch-1.0 filesrc location=/video/in.mp4 ! decodebin ! videoconvert ! \
#         rvosseg ! videoconvert ! x264enc ! mp4mux ! filesink location=/video/out.mp4
#
# With an NVIDIA GPU (needs the NVIDIA container toolkit on the host):
#
#     docker build -t rvosseg:cuda --target cuda .
#     docker run --rm --gpus all -v "$PWD:/video" rvosseg:cuda gst-launch-1.0 ...
#
# The model that is copied in is for research and evaluation only.
ARG DEBIAN=13

FROM debian:${DEBIAN} AS build
ENV DEBIAN_FRONTEND=noninteractive
# debian/control lists the packages for both releases. It is copied first, so that a change of
# the source alone does not fetch the packages again.
COPY debian /src/rvosseg/debian
RUN apt-get update && \
    apt-get install -y --no-install-recommends build-essential && \
    apt-get build-dep -y --no-install-recommends /src/rvosseg && \
    rm -rf /var/lib/apt/lists/*
COPY . /src/rvosseg
RUN cd /src/rvosseg && dpkg-buildpackage -b -us -uc

FROM debian:${DEBIAN} AS cpu
ENV DEBIAN_FRONTEND=noninteractive
COPY --from=build /src/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends \
        /tmp/librvos0_*.deb /tmp/gstreamer1.0-rvosseg_*.deb /tmp/rvos-tools_*.deb \
        /tmp/rvos-models_*.deb gstreamer1.0-tools gstreamer1.0-plugins-base \
        gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly \
        gstreamer1.0-libav && \
    rm -rf /var/lib/apt/lists/* /tmp/*.deb && \
    gst-inspect-1.0 rvosseg >/dev/null
CMD ["gst-inspect-1.0", "rvosseg"]

# Network cameras as a service: docs/cameras.md.
FROM cpu AS cameras
RUN apt-get update && apt-get install -y --no-install-recommends \
        gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp python3-gi python3-paho-mqtt && \
    rm -rf /var/lib/apt/lists/*
COPY gst/examples/cameras.py /usr/local/bin/rvosseg-cameras
EXPOSE 8554 8080
ENTRYPOINT ["python3", "/usr/local/bin/rvosseg-cameras"]

# The CUDA engine needs NVIDIA's toolkit to compile and NVIDIA's cuDNN to run.
FROM nvidia/cuda:13.0.1-cudnn-devel-ubuntu24.04 AS cuda-build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential debhelper libdnnl-dev libgstreamer-plugins-bad1.0-dev \
        libgstreamer-plugins-base1.0-dev libgstreamer1.0-dev libjansson-dev \
        libjpeg-dev libpango1.0-dev libpng-dev meson pkgconf && \
    rm -rf /var/lib/apt/lists/*
COPY . /src/rvosseg
# -d: ignore the build dependency on Debian's toolkit, since NVIDIA's is there.
RUN cd /src/rvosseg && PATH=/usr/local/cuda/bin:$PATH \
    dpkg-buildpackage -b -us -uc -d -Ppkg.rvosseg.cuda

FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 AS cuda
# compute: CUDA itself. utility: nvidia-smi. video: the decoders; without it the plugin
# nvcodec registers no elements.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video \
    DEBIAN_FRONTEND=noninteractive
COPY --from=cuda-build /src/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends \
        /tmp/librvos0_*.deb /tmp/librvos-cuda_*.deb /tmp/gstreamer1.0-rvosseg_*.deb \
        /tmp/rvos-tools_*.deb /tmp/rvos-models_*.deb gstreamer1.0-tools \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
        gstreamer1.0-plugins-ugly gstreamer1.0-libav && \
    rm -rf /var/lib/apt/lists/* /tmp/*.deb && \
    gst-inspect-1.0 rvosseg >/dev/null
CMD ["gst-inspect-1.0", "rvosseg"]

FROM cuda AS cameras-cuda
RUN apt-get update && apt-get install -y --no-install-recommends \
        gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp python3-gi python3-paho-mqtt && \
    rm -rf /var/lib/apt/lists/*
COPY gst/examples/cameras.py /usr/local/bin/rvosseg-cameras
EXPOSE 8554 8080
ENTRYPOINT ["python3", "/usr/local/bin/rvosseg-cameras"]

# The default target of `docker build .`.
FROM cpu
