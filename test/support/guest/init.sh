#!/bin/sh
# The first process of a User Mode Linux whose root is this machine's: an NFS server, two clients of
# it that share nothing, then the command that boot.ts left in $OUT, whose exit status goes there too.
export PATH="$NODE_DIR:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root
stop() {
  echo "$1" >"$OUT/status"
  sync
  echo o >/proc/sysrq-trigger
  sleep 60
}
need() {
  "$@" || {
    echo "failed: $*"
    stop 99
  }
}

need mount -t proc proc /proc
need mount -t sysfs sysfs /sys
mkdir /dev/shm
for dir in /run /var/lib/nfs /mnt /dev/shm; do need mount -t tmpfs tmpfs $dir; done
export TMPDIR=/dev/shm
mkdir -p /var/lib/nfs/rpc_pipefs /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/v4recovery
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
for module in sunrpc nfsd nfs nfsv3 nfsv4 veth; do need modprobe -d "$OUT/modules" $module; done
need mount -t nfsd nfsd /proc/fs/nfsd

# The second client lives in a network of its own, and so has caches of its own.
need hostname first
need ip link set lo up
need ip netns add second
need ip link add server type veth peer name client netns second
need ip addr add 10.77.0.1/24 dev server
need ip link set server up
need ip -n second addr add 10.77.0.2/24 dev client
need ip -n second link set lo up
need ip -n second link set client up

# /dev/ubda holds caches, the small /dev/ubdb is to run full.
mkdir -p /mnt/export
need mount -t ext4 /dev/ubda /mnt/export
mkdir -p /mnt/export/small
need mount -t ext4 /dev/ubdb /mnt/export/small
options=rw,no_root_squash,no_subtree_check,sync,insecure
need rpcbind
need rpc.statd
need exportfs -o $options,fsid=0 '*:/mnt/export'
need exportfs -o $options,fsid=1 '*:/mnt/export/small'
need rpc.mountd
need rpc.nfsd --grace-time 10 --lease-time 10 4

second() { nsenter --net=/run/netns/second unshare --uts sh -c "hostname second; $*"; }
mkdir -p /mnt/v4.2-first /mnt/v4.2-second /mnt/v3-first /mnt/v3-second
need mount -t nfs -o vers=4.2,proto=tcp 127.0.0.1:/ /mnt/v4.2-first
need mount -t nfs -o vers=3,proto=tcp,nolock 127.0.0.1:/mnt/export /mnt/v3-first
need second mount -t nfs -o vers=4.2,proto=tcp 10.77.0.1:/ /mnt/v4.2-second
need second mount -t nfs -o vers=3,proto=tcp,nolock 10.77.0.1:/mnt/export /mnt/v3-second

cd "$REPOSITORY" || stop 98
sh "$OUT/command.sh"
stop $?
