/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starts EAL with nothing but what the ports need: no PCI scan without a PCI port, no hugetlbfs mount, no files
 * other than the telemetry socket. Its log lines come out through ours.
 */
#include "dev/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "dev/afpacket.h"
#include "dev/mpool.h"

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"
#define FREE_HUGEPAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define PCI_PORTS_MAX 8

static bool read_number(const char *path, unsigned *out)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fscanf(f, "%u", out) == 1;
    if (f)
        fclose(f);
    return ok;
}

/* Services that start or end together change the number one after the other. -1: no huge pages here. */
static int lock_hugepages(void)
{
    int fd = open(NR_HUGEPAGES, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX))
        jr_log(JR_LOG_DEBUG, "%s: %s", NR_HUGEPAGES, strerror(errno));
    return fd;
}

static bool write_number(const char *path, unsigned value)
{
    FILE *f = fopen(path, "we");
    if (!f)
        return false;
    bool ok = fprintf(f, "%u\n", value) > 0;
    return fclose(f) == 0 && ok;
}

unsigned jr_eal_memory_mb(const struct jr_eal_config *cfg)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < cfg->n_ports; i++) {
        struct jr_port_config p = cfg->ports[i];
        jr_port_fill_defaults(&p, 0);
        bytes += p.kind == JR_PORT_AF_PACKET ? jr_afpacket_bytes(&p)
                                             : jr_mpool_bytes(p.buffers, jr_port_buffer_bytes(&p));
    }
    bytes += bytes / 8 + (16u << 20); /* rings, caches and what does not fill a page */
    return (unsigned)((bytes + (2u << 20) - 1) >> 21) * 2;
}

static void give_back(struct jr_hugepages *hp)
{
    unsigned total;
    if (hp->added && read_number(NR_HUGEPAGES, &total))
        write_number(NR_HUGEPAGES, total > hp->added ? total - hp->added : 0);
    hp->added = 0;
}

static bool take(struct jr_hugepages *hp, unsigned need_mb, unsigned limit_mb)
{
    unsigned total, free, need = need_mb / 2;
    if (!read_number(NR_HUGEPAGES, &total) || !read_number(FREE_HUGEPAGES, &free))
        return false;
    if (free >= need)
        return true;
    if (need_mb > limit_mb || !write_number(NR_HUGEPAGES, total + need - free))
        return false;
    unsigned now;
    if (!read_number(NR_HUGEPAGES, &now) || now < total)
        return false;
    hp->added = now - total;
    if (read_number(FREE_HUGEPAGES, &free) && free >= need)
        return true;
    give_back(hp); /* memory is too fragmented */
    return false;
}

bool jr_hugepages_take(struct jr_hugepages *hp, unsigned need_mb, unsigned limit_mb)
{
    hp->added = 0;
    int fd = limit_mb ? lock_hugepages() : -1;
    bool ok = fd >= 0 && take(hp, need_mb, limit_mb);
    if (fd >= 0)
        close(fd);
    return ok;
}

void jr_hugepages_give_back(struct jr_hugepages *hp)
{
    int fd = hp->added ? lock_hugepages() : -1;
    give_back(hp);
    if (fd >= 0)
        close(fd);
}

static bool quiet; /* the start may fail: another one follows it */

static enum jr_log_level level_of(int rte_level)
{
    if (quiet)
        return JR_LOG_DEBUG;
    if (rte_level <= (int)RTE_LOG_ERR) /* what matters of it fails a call of ours, which says so */
        return JR_LOG_WARN;
    if (rte_level <= (int)RTE_LOG_WARNING) /* such as pages of a size nobody asked for */
        return JR_LOG_INFO;
    return JR_LOG_DEBUG;
}

static ssize_t eal_line(void *cookie, const char *buf, size_t n)
{
    (void)cookie;
    size_t len = n;
    while (len && (buf[len - 1] == '\n' || buf[len - 1] == '\r'))
        len--;
    if (len)
        jr_log(level_of(rte_log_cur_msg_loglevel()), "%.*s", (int)len, buf);
    return (ssize_t)n;
}

static void redirect_log(void)
{
    FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){.write = eal_line});
    if (!f)
        return;
    setvbuf(f, NULL, _IOLBF, 1024);
    rte_openlog_stream(f);
}

/* EAL pins the worker to this set: one CPU, or all that the process may use. */
static void lcore_arg(const struct jr_eal_config *cfg, char *out, size_t n)
{
    cpu_set_t set;
    size_t at = (size_t)snprintf(out, n, "0@(");
    bool first = true;
    CPU_ZERO(&set);
    if (cfg->lcore >= 0)
        CPU_SET((unsigned)cfg->lcore, &set);
    else
        sched_getaffinity(0, sizeof set, &set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && at + 8 < n; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        at += (size_t)snprintf(out + at, n - at, "%s%u", first ? "" : ",", cpu);
        first = false;
    }
    snprintf(out + at, n - at, ")");
}

int jr_eal_start(const struct jr_eal_config *cfg, bool huge)
{
    char lcores[2048], mb[16];
    char *argv[20 + 2 * PCI_PORTS_MAX];
    int argc = 0;
    unsigned pci = 0;
    lcore_arg(cfg, lcores, sizeof lcores);
    snprintf(mb, sizeof mb, "%u", jr_eal_memory_mb(cfg));
    argv[argc++] = (char *)"joyride-netsvc";
    argv[argc++] = (char *)"--lcores";
    argv[argc++] = lcores;
    for (unsigned i = 0; i < cfg->n_ports && pci < PCI_PORTS_MAX; i++) {
        if (cfg->ports[i].kind != JR_PORT_PCI)
            continue;
        argv[argc++] = (char *)"-a";
        argv[argc++] = (char *)cfg->ports[i].interface;
        pci++;
    }
    if (!pci)
        argv[argc++] = (char *)"--no-pci";
    if (huge) {
        argv[argc++] = (char *)"--in-memory";
    } else {
        argv[argc++] = (char *)"--no-huge";
        argv[argc++] = (char *)"--no-shconf";
    }
    argv[argc++] = (char *)"-m";
    argv[argc++] = mb;
    argv[argc++] = (char *)"--file-prefix=joyride";
    if (!pci)
        argv[argc++] = (char *)"--iova-mode=va";
    if (!cfg->telemetry)
        argv[argc++] = (char *)"--no-telemetry";
    argv[argc] = NULL;
    redirect_log();
    quiet = huge;
    int rc = rte_eal_init(argc, argv);
    quiet = false;
    if (rc < 0) {
        int err = rte_errno ? rte_errno : EINVAL;
        jr_log(huge ? JR_LOG_DEBUG : JR_LOG_ERROR, "DPDK did not start: %s", rte_strerror(err));
        return -err;
    }
    jr_log(JR_LOG_INFO, "DPDK runs with %s MB of %s pages", mb, huge ? "huge" : "ordinary");
    return 0;
}

void jr_eal_stop(void) { rte_eal_cleanup(); }
