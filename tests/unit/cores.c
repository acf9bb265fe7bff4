/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cores.c - tests quotas of control groups and speeds of cores, from files like the
 * kernel's. */
#include "../test.h"
#include "../../engine/src/cpu/pool.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root;

/* Writes a file below the root, and makes its folders. */
static void put(const char *name, const char *text)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *c = path + strlen(root) + 1; (c = strchr(c, '/')); c++) {
        *c = 0;
        mkdir(path, 0700);
        *c = '/';
    }
    f = fopen(path, "w");
    if (!CHECK(f != NULL))
        exit(1);
    fputs(text, f);
    fclose(f);
}

static void clear(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s/*", root);
    CHECK(system(command) == 0);
}

static void expect(const char *what, int cores)
{
    int got = rv_quota_cores(root);

    test_note(CHECK(got == cores), "%s: %d, not %d", what, got, cores);
    clear();
}

static void version2(void)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    expect("no quota", 0);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    expect("a container", 3);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    expect("one and a half", 2);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "1000 100000\n");
    expect("a hundredth", 1);
    put("/proc/self/cgroup", "0::/user.slice/a.service/b\n");
    put("/sys/fs/cgroup/user.slice/cpu.max", "200000 50000\n");
    put("/sys/fs/cgroup/user.slice/a.service/cpu.max", "700000 100000\n");
    put("/sys/fs/cgroup/user.slice/a.service/b/cpu.max", "max 100000\n");
    expect("the least of the groups above", 4);
    put("/proc/self/cgroup", "0::/docker/1234\n");
    put("/sys/fs/cgroup/cpu.max", "500000 100000\n");
    expect("a name of the host", 5);
    put("/proc/self/cgroup", "0::/../../x\n");
    put("/sys/fs/cgroup/cpu.max", "500000 100000\n");
    put("/x/cpu.max", "100000 100000\n");
    expect("a name that leads out", 5);
}

static void version1(void)
{
    const char *groups = "11:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n3:cpuset:/\n"
                         "0::/system.slice\n";

    put("/proc/self/cgroup", groups);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    expect("no quota", 0);
    put("/proc/self/cgroup", groups);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n");
    expect("both controllers", 3);
    put("/proc/self/cgroup", groups);
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpuset/cpu.cfs_quota_us", "100000\n");
    put("/sys/fs/cgroup/cpuset/cpu.cfs_period_us", "100000\n");
    expect("the root of the mount", 2);
}

static void broken(void)
{
    static const char *const texts[] = {"",    "\n",        "100000",      "100000 0",
                                        "x y", "-5 100000", "100000 -100", "nan nan",
                                        "max", "0 0"};

    expect("no files", 0);
    put("/proc/self/cgroup", "nonsense\n:\n::\n0::\n");
    expect("no groups", 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put("/proc/self/cgroup", "0::/\n");
        put("/sys/fs/cgroup/cpu.max", texts[i]);
        expect(texts[i], 0);
    }
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "1e300 1");
    expect("very many", 1000000);
}

/* The smaller of quota and affinity mask counts. */
static void both(void)
{
    cpu_set_t before, one;

    if (!CHECK(!sched_getaffinity(0, sizeof(before), &before)))
        return;
    CHECK(rv_count_cores(root) == CPU_COUNT(&before));
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK(rv_count_cores(root) == 1);
    put("/sys/fs/cgroup/cpu.max", "10000000 1\n");
    CHECK(rv_count_cores(root) == CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    CHECK(!sched_setaffinity(0, sizeof(one), &one));
    CHECK(rv_count_cores(root) == 1);
    sched_setaffinity(0, sizeof(before), &before);
    clear();
}

/* The first usable core has the one speed, the others the other. */
static void expect_uneven(const char *file, const char *one, const char *other, bool want)
{
    cpu_set_t set;
    char path[128];
    const char *speed = one;

    CHECK(!sched_getaffinity(0, sizeof(set), &set));
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &set))
            continue;
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/%s", i, file);
        put(path, speed);
        speed = other;
    }
    test_note(CHECK(rv_cores_uneven(root) == (want && CPU_COUNT(&set) > 1)), "%s: %s, %s",
              file, one, other);
    clear();
}

static void uneven(void)
{
    CHECK(!rv_cores_uneven(root)); /* no files */
    expect_uneven("cpufreq/cpuinfo_max_freq", "5200000\n", "3900000\n", true);
    expect_uneven("cpufreq/cpuinfo_max_freq", "5200000\n", "5000000\n", false);
    expect_uneven("cpu_capacity", "446\n", "1024\n", true);
    expect_uneven("cpu_capacity", "1024\n", "1024\n", false);
    expect_uneven("cpu_capacity", "nonsense", "0", false);
}

int main(void)
{
    root = test_folder();
    version2();
    version1();
    broken();
    both();
    uneven();
    return test_done();
}
