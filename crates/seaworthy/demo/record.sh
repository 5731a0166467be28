#!/usr/bin/env bash
# Records the demonstration: a real engine with a dozen ordinary containers and ordinary mistakes, collected by
# Seaworthy itself. Needs root, Debian's docker.io, busybox-static and curl; runs in namespaces of its own and leaves
# nothing behind. Usage: record.sh PATH-TO-SEAWORTHY (writes snapshot.json.gz beside this script).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seaworthy=$(realpath "$1")
if [ -z "${SEAWORTHY_DEMO_INSIDE:-}" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf --one-file-system "$scratch"' EXIT
  SEAWORTHY_DEMO_INSIDE="$scratch" unshare --mount --net --uts --propagation private "$0" "$seaworthy"
  exit
fi

# A host of its own: name, network, and a root that lies over the machine's, in which nothing is mounted apart that its
# daemon reads; data in a directory, since overlays do not lie over each other.
scratch=$SEAWORTHY_DEMO_INSIDE
hostname harbour
ip link set lo up
root="$scratch/root"
mkdir "$scratch/over" "$scratch/data" "$root"
mount -t tmpfs tmpfs "$scratch/over"
mkdir "$scratch"/over/{upper,work}
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/over/upper,workdir=$scratch/over/work" "$root"
for place in proc sys dev; do mount --rbind "/$place" "$root/$place"; done
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root"/{run/lock,var/lib/docker,old} "$root$here"
mount --bind "$scratch/data" "$root/var/lib/docker"
mount --bind "$here" "$root$here"
cd "$root" && pivot_root . old && cd / && umount -l /old && rmdir /old
scratch=$(mktemp -d)
# What is the recording machine's own: its users' files, its engine's settings, whether it has sudo.
rm -rf /root /etc/docker /etc/sudoers /etc/sudoers.d
install -d -m 0700 /root
install -d -m 0755 /etc/docker
# No machine has this id, so that no plan made from the demonstration fits one.
printf '%s\n' 5ea30000000000000000000000000da7 > /etc/machine-id
cat > /etc/docker/daemon.json <<'JSON'
{
  "live-restore": true,
  "insecure-registries": ["registry.internal:5000"],
  "log-opts": { "max-size": "10m", "max-file": "3" }
}
JSON
chmod 644 /etc/docker/daemon.json
dockerd >"$scratch/log" 2>&1 </dev/null &
daemon=$!
clean() {
  docker rm -f $(docker ps -aq) >/dev/null 2>&1 || true
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  find /var/lib/docker -xdev -mindepth 1 -delete 2>/dev/null || true
}
trap clean EXIT
export DOCKER_HOST=unix:///var/run/docker.sock
until curl -sf --unix-socket /run/docker.sock http://x/_ping >/dev/null; do sleep 0.1; done

build() { # build NAME <<DOCKERFILE: a small image from busybox
  local dir="$scratch/build"
  rm -rf "$dir"; mkdir -p "$dir/bin" "$dir/etc"
  cp /bin/busybox "$dir/bin/busybox"
  for applet in sh sleep nc httpd; do ln -s busybox "$dir/bin/$applet"; done
  printf 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' > "$dir/etc/passwd"
  cat > "$dir/Dockerfile"
  tar -C "$dir" -c . | curl -sf --unix-socket /run/docker.sock -X POST -H 'Content-Type: application/x-tar' \
    --data-binary @- "http://x/build?t=$1" >"$scratch/build.log"
}
build shop/web:1.4 <<'EOF'
FROM scratch
COPY . /
EXPOSE 8080
CMD ["/bin/sleep", "1d"]
EOF
build shop/api:latest <<'EOF'
FROM scratch
COPY . /
LABEL org.opencontainers.image.source=https://git.example.com/shop/api
USER app
HEALTHCHECK CMD ["/bin/sleep", "0"]
CMD ["/bin/sleep", "1d"]
EOF
build shop/db:15 <<'EOF'
FROM scratch
ADD . /
ENV PGDATA=/data
VOLUME /data
CMD ["/bin/sleep", "1d"]
EOF
build tools/ci:2024 <<'EOF'
FROM scratch
COPY . /
ARG DEPLOY_TOKEN=3f9c2b7ad41e85c6
RUN ["/bin/sh", "-c", "sleep 0"]
CMD ["/bin/sleep", "1d"]
EOF

docker network create shop >/dev/null
docker volume create dbdata >/dev/null
run() { docker run -d --init=false "$@" >/dev/null; }
run --name web --network shop -p 80:8080 -p 443:8443 --restart always shop/web:1.4
run --name api --network shop -m 256m --memory-swap 256m --cpus 0.5 --pids-limit 200 --restart on-failure:5 \
  -e DB_HOST=db -e DB_PASSWORD=Tr0ub4dor-and-3 shop/api:latest
run --name api-metrics --network container:api -m 64m shop/web:1.4
run --name db --network shop -v dbdata:/data -p 5432:5432 -m 512m -e POSTGRES_PASSWORD=cor-rect-horse-9 shop/db:15
run --name cache --network shop --read-only --user 1000 --cap-drop ALL --security-opt no-new-privileges -m 128m \
  --memory-swap 128m --pids-limit 100 --cpu-shares 512 --restart on-failure:3 shop/web:1.4
run --name worker --network shop -m 256m --user app --restart unless-stopped shop/api:latest
run --name proxy -p 127.0.0.1:8081:8080 --read-only --tmpfs /tmp --security-opt no-new-privileges shop/web:1.4
run --name ci -v /var/run/docker.sock:/var/run/docker.sock tools/ci:2024
run --name backup -v /:/host:ro -v dbdata:/data:ro shop/web:1.4
run --name node-metrics --network host --pid host -v /proc:/host/proc:ro -v /sys:/host/sys:ro shop/web:1.4
run --name legacy --cap-add SYS_PTRACE --security-opt seccomp=unconfined shop/web:1.4
docker create --name debug --privileged tools/ci:2024 >/dev/null
run --name import-job shop/db:15 /bin/sh -c 'exit 0'
docker exec -d -u 0 worker /bin/sleep 1d

"$seaworthy" collect --only docker -o "$scratch/snapshot.json"
gunzip -cf "$scratch/snapshot.json" | gzip -9n > "$here/snapshot.json.gz"
"$seaworthy" audit --from "$here/snapshot.json.gz" -f csv | wc -l
