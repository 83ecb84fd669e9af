"""What `--workers auto` counts, on the trees that hosts and containers really have."""

import os
from pathlib import Path

import pytest

from pronghorn.process.cpus import usable_cpus

DOCKER_ID = "5b4d3f0c9a7e" * 5 + "0000"
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f0c.slice"

V2_MOUNT = (
    "35 24 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
)
OTHER_MOUNTS = """\
22 27 0:21 / /proc rw,nosuid shared:14 - proc proc rw
23 27 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
a line from the future
"""


class Tree:
    """A root directory with the files of one machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def proc(self, cgroup: str, *mounts: str) -> None:
        self.file("/proc/self/cgroup", cgroup)
        self.file("/proc/self/mountinfo", OTHER_MOUNTS + "".join(f"{mount}\n" for mount in mounts))

    def v2(self, directory: str, maximum: str) -> None:
        self.file(f"/sys/fs/cgroup{directory}/cpu.max", f"{maximum}\n")

    def v1(self, directory: str, quota: int, period: int = 100000) -> None:
        self.file(f"{directory}/cpu.cfs_quota_us", f"{quota}\n")
        self.file(f"{directory}/cpu.cfs_period_us", f"{period}\n")

    def file(self, path: str, text: str) -> None:
        at = self.root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)

    def cpus(self) -> int:
        return usable_cpus(self.root)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A host with 16 CPUs."""
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    return Tree(tmp_path)


class TestAffinity:
    def test_without_cgroups(self, tree: Tree) -> None:
        assert tree.cpus() == 16

    def test_where_the_mask_is_narrower_than_the_quota(
        self, tree: Tree, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2, 5}, raising=False)
        tree.proc("0::/\n", V2_MOUNT)
        tree.v2("", "800000 100000")
        assert tree.cpus() == 2

    def test_python_3_13_counts_itself(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
        assert tree.cpus() == 3

    def test_where_there_is_no_mask(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "sched_getaffinity")
        monkeypatch.setattr(os, "cpu_count", lambda: 7)
        assert tree.cpus() == 7

    def test_where_nobody_knows(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "sched_getaffinity")
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        assert tree.cpus() == 1

    def test_this_very_machine(self) -> None:
        assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


class TestVersion2:
    @pytest.mark.parametrize(
        ("maximum", "cpus"),
        [
            ("200000 100000", 2),
            ("150000 100000", 2),
            ("100001 100000", 2),
            ("100000 100000", 1),
            ("5000 100000", 1),
            ("3000000 1000000", 3),
            ("9900000 100000", 16),
            ("max 100000", 16),
            ("", 16),
            ("200000", 16),
            ("200000 0", 16),
            ("two 100000", 16),
            ("-1 100000", 16),
        ],
    )
    def test_a_quota_in_a_namespace_of_its_own(self, tree: Tree, maximum: str, cpus: int) -> None:
        """Docker and Podman of today: the container's group is "/"."""
        tree.proc("0::/\n", V2_MOUNT)
        tree.v2("", maximum)
        assert tree.cpus() == cpus

    def test_docker_without_a_namespace(self, tree: Tree) -> None:
        scope = f"/system.slice/docker-{DOCKER_ID}.scope"
        tree.proc(f"0::{scope}\n", V2_MOUNT.replace("0:29 / ", f"0:29 {scope} "))
        tree.v2("", "400000 100000")
        assert tree.cpus() == 4

    def test_kubernetes_where_the_pod_is_limited_and_the_container_is_not(self, tree: Tree) -> None:
        scope = f"{POD}/cri-containerd-{DOCKER_ID}.scope"
        tree.proc(f"0::{scope}\n", V2_MOUNT)
        tree.v2(scope, "max 100000")
        tree.v2(POD, "250000 100000")
        tree.v2("/kubepods.slice", "max 100000")
        assert tree.cpus() == 3

    def test_systemd_where_the_slice_is_tighter_than_the_service(self, tree: Tree) -> None:
        tree.proc("0::/web.slice/web-shop.slice/pronghorn.service\n", V2_MOUNT)
        tree.v2("/web.slice/web-shop.slice/pronghorn.service", "800000 100000")
        tree.v2("/web.slice/web-shop.slice", "max 100000")
        tree.v2("/web.slice", "300000 100000")
        assert tree.cpus() == 3

    def test_a_sibling_does_not_count(self, tree: Tree) -> None:
        tree.proc("0::/web.slice/pronghorn.service\n", V2_MOUNT)
        tree.v2("/web.slice/other.service", "100000 100000")
        tree.v2("/web.slice/pronghorn.service/child", "100000 100000")
        tree.v2("/web.slice/pronghorn.service", "500000 100000")
        assert tree.cpus() == 5

    def test_a_group_that_is_deleted_leaves_those_above(self, tree: Tree) -> None:
        tree.proc("0::/web.slice/pronghorn.service (deleted)\n", V2_MOUNT)
        tree.v2("/web.slice", "600000 100000")
        assert tree.cpus() == 6

    def test_a_mount_point_with_a_space(self, tree: Tree) -> None:
        tree.proc("0::/site\n", V2_MOUNT.replace("/sys/fs/cgroup", r"/odd\040place\134"))
        tree.file("/odd place\\/site/cpu.max", "200000 100000\n")
        assert tree.cpus() == 2

    def test_a_group_with_a_colon_in_its_name(self, tree: Tree) -> None:
        tree.proc("0::/user.slice/app-a:b.scope\n", V2_MOUNT)
        tree.v2("/user.slice/app-a:b.scope", "200000 100000")
        assert tree.cpus() == 2

    def test_a_group_outside_of_the_namespace_is_not_climbed_to(self, tree: Tree) -> None:
        """nsenter leaves the process in its old group; the mounted one is the best guess."""
        tree.proc("0::/../../elsewhere\n", V2_MOUNT)
        tree.v2("", "400000 100000")
        tree.file("/sys/elsewhere/cpu.max", "100000 100000\n")
        assert tree.cpus() == 4


class TestVersion1:
    CPU = "/sys/fs/cgroup/cpu,cpuacct"

    def mount(self, root: str) -> str:
        return f"33 29 0:30 {root} {self.CPU} ro,nosuid,nodev - cgroup cgroup rw,cpu,cpuacct"

    def groups(self, path: str) -> str:
        return f"12:cpuset:/tight\n4:cpu,cpuacct:{path}\n2:memory:{path}\n1:name=systemd:{path}\n"

    @pytest.mark.parametrize(
        ("quota", "period", "cpus"),
        [(200000, 100000, 2), (75000, 50000, 2), (1000, 100000, 1), (-1, 100000, 16), (0, 100000, 1)],
    )
    def test_docker(self, tree: Tree, quota: int, period: int, cpus: int) -> None:
        """/proc/self/cgroup has the host's path, of which the mount is the container's end."""
        path = f"/docker/{DOCKER_ID}"
        tree.proc(self.groups(path), self.mount(path))
        tree.v1(self.CPU, quota, period)
        assert tree.cpus() == cpus

    def test_kubernetes_below_the_hosts_mount(self, tree: Tree) -> None:
        path = f"/kubepods/burstable/pod1f0c/{DOCKER_ID}"
        tree.proc(self.groups(path), self.mount("/"))
        tree.v1(f"{self.CPU}{path}", -1)
        tree.v1(f"{self.CPU}/kubepods/burstable/pod1f0c", 350000)
        tree.v1(self.CPU, -1)
        assert tree.cpus() == 4

    def test_a_group_beside_the_mounted_one(self, tree: Tree) -> None:
        """Cloud Foundry's Garden: JDK-8343191."""
        tree.proc(self.groups("/garden/bad/2f57"), self.mount("/garden/good/2f57"))
        tree.v1(self.CPU, 200000)
        assert tree.cpus() == 2

    def test_the_group_of_another_controller_does_not_count(self, tree: Tree) -> None:
        tree.proc("12:cpuset:/tight\n4:cpu,cpuacct:/\n3:cpuacct:/tight\n", self.mount("/"))
        tree.v1(f"{self.CPU}/tight", 100000)
        assert tree.cpus() == 16

    @pytest.mark.parametrize("controller", ["cpuset", "cpuacct"])
    def test_the_mount_of_another_controller_does_not_count(self, tree: Tree, controller: str) -> None:
        tree.proc("1:cpu:/\n", f"35 31 0:32 / /sys/fs/cgroup/{controller} rw - cgroup cgroup rw,{controller}")
        tree.v1(f"/sys/fs/cgroup/{controller}", 100000)
        assert tree.cpus() == 16


class TestHybrid:
    """systemd's hybrid hierarchy: controllers in version 1, version 2 at /sys/fs/cgroup/unified."""

    MOUNTS = (
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu",
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
    )
    GROUPS = "9:name=systemd:/a.slice\n1:cpu:/a.slice\n0::/a.slice\n"

    def test_the_controller_is_in_version_1(self, tree: Tree) -> None:
        tree.proc(self.GROUPS, *self.MOUNTS)
        tree.v1("/sys/fs/cgroup/cpu/a.slice", 300000)
        tree.file("/sys/fs/cgroup/unified/a.slice/cgroup.procs", "1\n")
        assert tree.cpus() == 3

    def test_the_least_of_both(self, tree: Tree) -> None:
        tree.proc(self.GROUPS, *self.MOUNTS)
        tree.v1("/sys/fs/cgroup/cpu/a.slice", 300000)
        tree.v2("/unified/a.slice", "200000 100000")
        assert tree.cpus() == 2
