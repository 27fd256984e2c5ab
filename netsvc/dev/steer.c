/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads, attaches and feeds the programs of netsvc/bpf. Ports are bits in a memory-mapped array; addresses change
 * rarely and go by system call. Whatever is attached carries a jr_steer_* name, by which it is found again.
 */
#include "dev/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "bpf/steer_maps.h"

/* dev/meson.build embeds them */
extern const unsigned char jr_steer_xdp_elf[], jr_steer_skb_elf[];
extern const unsigned jr_steer_xdp_elf_len, jr_steer_skb_elf_len;

#define XDP_NAME "jr_steer_xdp"
#define TC_NAME "jr_steer_tc"
enum { TC_HANDLE = 0x4a52, TC_PRIORITY = 0x4a52 };

struct jr_steer {
    enum jr_steer_kind kind;
    int ifindex;
    struct bpf_object *obj; /* JR_STEER_PACKET */
    int addrs_fd;
    uint64_t *ports;            /* jr_ports, mapped */
    struct jr_steer_conf *conf; /* jr_conf, mapped */
};

/* libbpf warns about things that are tried and may fail, as a missing qdisc; what matters comes back as an error. */
static int to_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    char line[512];
    (void)level;
    int n = vsnprintf(line, sizeof line, fmt, ap);
    if (n > 0 && (size_t)n < sizeof line && line[n - 1] == '\n')
        line[n - 1] = 0;
    jr_log(JR_LOG_DEBUG, "%s", line);
    return 0;
}

int jr_steer_xdp_object(void)
{
    int fd = memfd_create("jr_steer_xdp", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, jr_steer_xdp_elf, jr_steer_xdp_elf_len) != (ssize_t)jr_steer_xdp_elf_len) {
        close(fd);
        return -EIO;
    }
    return fd;
}

/* A map of the arrays the program reads; NULL and errno. The kernel rounds values up to 8 bytes. */
static void *map_array(int fd, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, (bytes + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Takes the fds of the three maps; ports and conf live on as mappings. */
static int adopt_maps(struct jr_steer *st, int ports_fd, int conf_fd, int addrs_fd, bool exclusive)
{
    st->addrs_fd = addrs_fd;
    if (ports_fd < 0 || conf_fd < 0 || addrs_fd < 0)
        return -ENOENT;
    st->ports = map_array(ports_fd, JR_STEER_PORT_WORDS * sizeof(uint64_t));
    st->conf = map_array(conf_fd, sizeof *st->conf);
    if (!st->ports || !st->conf)
        return -errno;
    __atomic_store_n(&st->conf->exclusive, exclusive, __ATOMIC_RELEASE);
    return 0;
}

/* The program attached to an interface's XDP hook, if it has our name: its fd, else negative. */
static int attached_xdp(int ifindex, struct bpf_prog_info *info)
{
    uint32_t id = 0, len = sizeof *info;
    if (bpf_xdp_query_id(ifindex, 0, &id) || !id)
        return -ENOENT;
    int fd = bpf_prog_get_fd_by_id(id);
    if (fd < 0)
        return fd;
    if (bpf_obj_get_info_by_fd(fd, info, &len) || strcmp(info->name, XDP_NAME)) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

static int open_xdp(struct jr_steer *st, bool exclusive)
{
    uint32_t ids[16];
    struct bpf_prog_info info = {.nr_map_ids = 16, .map_ids = (uintptr_t)ids};
    int prog = attached_xdp(st->ifindex, &info);
    if (prog < 0)
        return prog;
    int ports = -1, conf = -1, addrs = -1;
    for (uint32_t i = 0; i < info.nr_map_ids && i < 16; i++) {
        struct bpf_map_info map = {0};
        uint32_t len = sizeof map;
        int fd = bpf_map_get_fd_by_id(ids[i]);
        if (fd < 0 || bpf_obj_get_info_by_fd(fd, &map, &len))
            map.name[0] = 0;
        int *slot = !strcmp(map.name, "jr_ports")   ? &ports
                    : !strcmp(map.name, "jr_conf")  ? &conf
                    : !strcmp(map.name, "jr_addrs") ? &addrs
                                                    : NULL;
        if (slot)
            *slot = fd;
        else if (fd >= 0)
            close(fd);
    }
    close(prog);
    int rc = adopt_maps(st, ports, conf, addrs, exclusive);
    if (ports >= 0)
        close(ports);
    if (conf >= 0)
        close(conf);
    return rc;
}

static int attach_tc(int ifindex, int prog_fd)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY, .prog_fd = prog_fd,
                .flags = BPF_TC_F_REPLACE);
    int rc = bpf_tc_hook_create(&hook);
    if (rc && rc != -EEXIST)
        return rc;
    return bpf_tc_attach(&hook, &opts);
}

/* The ingress hook itself (a clsact qdisc) stays: others may have put filters on it meanwhile. */
static void detach_tc(int ifindex)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;
    if (bpf_tc_query(&hook, &opts))
        return;
    int fd = bpf_prog_get_fd_by_id(opts.prog_id);
    bool is_ours = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, TC_NAME);
    if (fd >= 0)
        close(fd);
    if (!is_ours)
        return;
    opts.prog_id = 0;
    opts.prog_fd = 0;
    opts.flags = 0;
    bpf_tc_detach(&hook, &opts);
}

static int program_fd(struct jr_steer *st, const char *name)
{
    struct bpf_program *prog = bpf_object__find_program_by_name(st->obj, name);
    return prog ? bpf_program__fd(prog) : -ENOENT;
}

static int open_packet(struct jr_steer *st, bool exclusive)
{
    st->obj = bpf_object__open_mem(jr_steer_skb_elf, jr_steer_skb_elf_len, NULL);
    if (!st->obj)
        return -errno;
    int rc = bpf_object__load(st->obj);
    if (rc)
        return rc;
    int addrs = bpf_object__find_map_fd_by_name(st->obj, "jr_addrs");
    rc = adopt_maps(st, bpf_object__find_map_fd_by_name(st->obj, "jr_ports"),
                    bpf_object__find_map_fd_by_name(st->obj, "jr_conf"), addrs < 0 ? -1 : dup(addrs), exclusive);
    if (rc)
        return rc;
    int tc = program_fd(st, TC_NAME);
    return tc < 0 ? tc : attach_tc(st->ifindex, tc);
}

int jr_steer_filter_socket(struct jr_steer *st, int fd)
{
    int prog = program_fd(st, "jr_steer_sock");
    if (prog < 0)
        return prog;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof prog) ? -errno : 0;
}

struct jr_steer *jr_steer_open(const char *ifname, enum jr_steer_kind kind, bool exclusive)
{
    struct jr_steer *st = calloc(1, sizeof *st);
    if (!st)
        return NULL;
    libbpf_set_print(to_log);
    st->kind = kind;
    st->addrs_fd = -1;
    st->ifindex = (int)if_nametoindex(ifname);
    int rc = !st->ifindex ? -ENODEV : kind == JR_STEER_XDP ? open_xdp(st, exclusive) : open_packet(st, exclusive);
    if (rc) {
        jr_steer_close(st);
        errno = -rc;
        return NULL;
    }
    return st;
}

void jr_steer_close(struct jr_steer *st)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (st->kind == JR_STEER_PACKET && st->obj)
        detach_tc(st->ifindex);
    if (st->ports)
        munmap(st->ports, JR_STEER_PORT_WORDS * sizeof(uint64_t));
    if (st->conf)
        munmap(st->conf, page);
    if (st->addrs_fd >= 0)
        close(st->addrs_fd);
    bpf_object__close(st->obj);
    free(st);
}

static uint64_t *port_word(struct jr_steer *st, uint8_t proto, bool v6, uint16_t port)
{
    if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
        return NULL;
    return &st->ports[JR_STEER_PORT_WORD(proto == IPPROTO_UDP, v6, port)];
}

int jr_steer_add_port(struct jr_steer *st, uint8_t proto, bool v6, uint16_t port)
{
    uint64_t *word = port_word(st, proto, v6, port);
    if (!word)
        return -EINVAL;
    __atomic_fetch_or(word, 1ull << (port & 63), __ATOMIC_RELEASE);
    return 0;
}

void jr_steer_del_port(struct jr_steer *st, uint8_t proto, bool v6, uint16_t port)
{
    uint64_t *word = port_word(st, proto, v6, port);
    if (word)
        __atomic_fetch_and(word, ~(1ull << (port & 63)), __ATOMIC_RELEASE);
}

int jr_steer_add_addr(struct jr_steer *st, struct jr_addr addr)
{
    uint32_t one = 1;
    return bpf_map_update_elem(st->addrs_fd, addr.b, &one, BPF_ANY);
}

void jr_steer_del_addr(struct jr_steer *st, struct jr_addr addr) { bpf_map_delete_elem(st->addrs_fd, addr.b); }

void jr_steer_clean(const char *ifname)
{
    int ifindex = (int)if_nametoindex(ifname);
    if (!ifindex)
        return;
    libbpf_set_print(to_log);
    struct bpf_prog_info info = {0};
    int prog = attached_xdp(ifindex, &info);
    if (prog >= 0) {
        bpf_xdp_detach(ifindex, 0, NULL);
        close(prog);
    }
    detach_tc(ifindex);
}
