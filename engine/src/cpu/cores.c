/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pool.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MOST 4096
#define UNEVEN 1.2 /* the best cores of one kind differ by less */

/* ---- quota ---------------------------------------------------------------- */

/* Reads up to two numbers from a file; returns how many there were. */
static int read_numbers(const char *path, double number[2])
{
    FILE *f = fopen(path, "re");
    int n = f ? fscanf(f, "%lf %lf", &number[0], &number[1]) : 0;

    if (f)
        fclose(f);
    return n > 0 ? n : 0;
}

/* The quota of one control group in cores; 0: no quota, or no such group here. */
static double group_quota(const char *folder, bool version2)
{
    char path[PATH_MOST + 64];
    double number[2] = {0, 0}, period[2] = {0, 0};

    if (version2) { /* "QUOTA PERIOD" or "max PERIOD", in microseconds */
        snprintf(path, sizeof(path), "%s/cpu.max", folder);
        return read_numbers(path, number) == 2 && number[0] > 0 && number[1] > 0
                   ? number[0] / number[1]
                   : 0;
    }
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder); /* -1: none */
    if (!read_numbers(path, number) || number[0] <= 0)
        return 0;
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
    return read_numbers(path, period) && period[0] > 0 ? number[0] / period[0] : 0;
}

/* The smallest quota of a group and its parents. In a container the group's name may be
 * the host's, while only the mount's root is visible, so folders may be missing.
 */
static void least_quota(const char *mount, const char *group, bool version2,
                        double *least)
{
    char folder[PATH_MOST];
    size_t root = strlen(mount);

    if (strstr(group, "..") || root + strlen(group) >= sizeof(folder))
        group = "";
    snprintf(folder, sizeof(folder), "%s%s", mount, group);
    for (;;) {
        double quota = group_quota(folder, version2);
        char *slash = strrchr(folder, '/');

        if (quota > 0 && (*least <= 0 || quota < *least))
            *least = quota;
        if (!slash || (size_t)(slash - folder) < root)
            return;
        *slash = 0;
    }
}

/* Whether a list like "cpu,cpuacct" contains "cpu". */
static bool names_cpu(const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");

        if (n == 3 && !strncmp(list, "cpu", 3))
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

int rv_quota_cores(const char *root)
{
    char path[PATH_MOST], line[PATH_MOST], mount[PATH_MOST];
    double least = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) { /* NUMBER:CONTROLLERS:GROUP */
        char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;

        if (!group)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        list++;
        if (!strcmp(group, "/"))
            group = "";
        if (!*list) {
            snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
            least_quota(mount, group, true, &least);
        } else if (names_cpu(list)) {
            snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/%s", root, list);
            least_quota(mount, group, false, &least);
            snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup/cpu", root);
            least_quota(mount, group, false, &least);
        }
    }
    if (f)
        fclose(f);
    if (least <= 0)
        return 0;
    return least >= 1e6 ? 1000000 : (int)least + ((int)least < least);
}

/* ---- affinity --------------------------------------------------------------- */

/* The cores that this thread may use, in a mask of *size bytes to free with CPU_FREE;
 * NULL: unknown. */
#ifdef __linux__
static cpu_set_t *usable_cores(size_t *size)
{
    /* The kernel refuses masks smaller than its own. Some machines have 8192 cores. */
    for (int most = 1024; most <= 1 << 16; most *= 4) {
        cpu_set_t *set = CPU_ALLOC(most);

        *size = CPU_ALLOC_SIZE(most);
        if (!set)
            break;
        if (!sched_getaffinity(0, *size, set))
            return set;
        CPU_FREE(set);
    }
    return NULL;
}
#endif

static int affinity_cores(void)
{
    long n;
#ifdef __linux__
    size_t size;
    cpu_set_t *set = usable_cores(&size);
    int count = set ? CPU_COUNT_S(size, set) : 0;

    CPU_FREE(set);
    if (count > 0)
        return count;
#endif
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int rv_count_cores(const char *root)
{
    int cores = affinity_cores(), quota = rv_quota_cores(root);

    return quota > 0 && quota < cores ? quota : cores;
}

/* ---- fast and slow cores ----------------------------------------------------- */

#ifdef __linux__
/* Capacity where the kernel knows it, else the highest frequency; 0: neither. */
static double core_speed(const char *root, int core)
{
    static const char *const files[] = {"cpu_capacity", "cpufreq/cpuinfo_max_freq"};
    char path[PATH_MOST];
    double speed[2] = {0, 0};

    for (int i = 0; i < 2 && speed[0] <= 0; i++) {
        snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/cpu%d/%s", root, core,
                 files[i]);
        read_numbers(path, speed);
    }
    return speed[0];
}
#endif

bool rv_cores_uneven(const char *root)
{
    double fastest = 0, slowest = 0;
#ifdef __linux__
    size_t size;
    cpu_set_t *set = usable_cores(&size);

    for (int i = 0; set && i < (int)(8 * size); i++) {
        double speed = CPU_ISSET_S(i, size, set) ? core_speed(root, i) : 0;

        if (speed > fastest)
            fastest = speed;
        if (speed > 0 && (slowest <= 0 || speed < slowest))
            slowest = speed;
    }
    CPU_FREE(set);
#else
    (void)root;
#endif
    return fastest > UNEVEN * slowest;
}
