/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which frames of a port that the kernel shares belong to the service: TCP and UDP to one of the host's
 * addresses and a port the service owns, later fragments of those, and ICMP errors that quote one of its flows.
 * Each program defines STEER_LOAD(ctx, offset, to, bytes), its kind's way to read a frame, before including this.
 */
#ifndef JR_BPF_STEER_H
#define JR_BPF_STEER_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer_maps.h"

/* <linux/icmp.h> drags libc's headers in. RFC 792, RFC 4443. */
enum { ICMP_UNREACH = 3, ICMP_QUENCH = 4, ICMP_TIMXCEED = 11, ICMP_PARAMPROB = 12, ICMP6_PARAMPROB = 4 };
#define ICMP_HEADER_BYTES 8

enum steer { STEER_KERNEL, STEER_SERVICE, STEER_ERROR /* an ICMP error about a flow of the service */ };

struct steer_frag {
    struct jr_steer_addr src, dst;
    __u32 id;
    __u32 proto;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, JR_STEER_PORT_WORDS);
    __type(key, __u32);
    __type(value, __u64);
} jr_ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct jr_steer_conf);
} jr_conf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, JR_STEER_ADDRS);
    __type(key, struct jr_steer_addr);
    __type(value, __u32);
} jr_addrs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct steer_frag);
    __type(value, __u32);
} jr_frags SEC(".maps");

static __always_inline struct jr_steer_addr steer_v4(__be32 ip)
{
    struct jr_steer_addr a = {.w = {0, 0, bpf_htonl(0xffff), ip}};
    return a;
}

static __always_inline int steer_has_addr(struct jr_steer_addr *a) { return bpf_map_lookup_elem(&jr_addrs, a) != 0; }

static __always_inline int steer_has_port(__u32 proto, __u32 is_v6, __be16 port_be)
{
    __u32 port = bpf_ntohs(port_be);
    if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
        return 0;
    __u32 word = JR_STEER_PORT_WORD(proto == IPPROTO_UDP, is_v6, port);
    __u64 *bits = bpf_map_lookup_elem(&jr_ports, &word);
    return bits && (*bits >> (port & 63) & 1);
}

/* The packet quoted at off was sent from one of our flows. */
static __always_inline enum steer steer_quote_v4(void *ctx, __u32 off)
{
    struct iphdr ip;
    __be16 sport;
    if (STEER_LOAD(ctx, off, &ip, sizeof ip))
        return STEER_KERNEL;
    struct jr_steer_addr src = steer_v4(ip.saddr);
    if (ip.version != 4 || !steer_has_addr(&src))
        return STEER_KERNEL;
    if (STEER_LOAD(ctx, off + ip.ihl * 4, &sport, sizeof sport))
        return STEER_KERNEL;
    return steer_has_port(ip.protocol, 0, sport) ? STEER_ERROR : STEER_KERNEL;
}

static __always_inline enum steer steer_icmp_v4(void *ctx, __u32 off)
{
    __u8 type;
    if (STEER_LOAD(ctx, off, &type, sizeof type))
        return STEER_KERNEL;
    if (type != ICMP_UNREACH && type != ICMP_QUENCH && type != ICMP_TIMXCEED && type != ICMP_PARAMPROB)
        return STEER_KERNEL;
    return steer_quote_v4(ctx, off + ICMP_HEADER_BYTES);
}

static __always_inline enum steer steer_v4_packet(void *ctx, __u32 off)
{
    struct iphdr ip;
    __be16 ports[2];
    if (STEER_LOAD(ctx, off, &ip, sizeof ip))
        return STEER_KERNEL;
    struct jr_steer_addr dst = steer_v4(ip.daddr);
    if (!steer_has_addr(&dst))
        return STEER_KERNEL;
    __u32 l4 = off + ip.ihl * 4;
    __u16 frag_off = bpf_ntohs(ip.frag_off);
    struct steer_frag frag = {.src = steer_v4(ip.saddr), .dst = dst, .id = ip.id, .proto = ip.protocol};
    if (frag_off & 0x1fff)
        return bpf_map_lookup_elem(&jr_frags, &frag) ? STEER_SERVICE : STEER_KERNEL;
    if (ip.protocol == IPPROTO_ICMP)
        return steer_icmp_v4(ctx, l4);
    if (STEER_LOAD(ctx, l4, ports, sizeof ports) || !steer_has_port(ip.protocol, 0, ports[1]))
        return STEER_KERNEL;
    if (frag_off & 0x2000) { /* more fragments: they carry no ports */
        __u32 one = 1;
        bpf_map_update_elem(&jr_frags, &frag, &one, BPF_ANY);
    }
    return STEER_SERVICE;
}

static __always_inline enum steer steer_quote_v6(void *ctx, __u32 off)
{
    struct ipv6hdr ip;
    __be16 sport;
    if (STEER_LOAD(ctx, off, &ip, sizeof ip) || STEER_LOAD(ctx, off + sizeof ip, &sport, sizeof sport))
        return STEER_KERNEL;
    struct jr_steer_addr src;
    __builtin_memcpy(&src, &ip.saddr, sizeof src);
    return steer_has_addr(&src) && steer_has_port(ip.nexthdr, 1, sport) ? STEER_ERROR : STEER_KERNEL;
}

/* The fragment header (RFC 8200 4.5), which <linux/ipv6.h> leaves out. */
struct steer_v6_frag_header {
    __u8 next_header, reserved;
    __be16 offset_more;
    __be32 id;
};

/* A fragment whose header follows IPv6's: the first tells where its like go. */
static __always_inline enum steer steer_v6_fragment(void *ctx, __u32 off, const struct ipv6hdr *ip)
{
    struct steer_v6_frag_header h;
    __be16 ports[2];
    __u32 one = 1;
    if (STEER_LOAD(ctx, off, &h, sizeof h))
        return STEER_KERNEL;
    struct steer_frag frag = {.id = h.id, .proto = IPPROTO_FRAGMENT};
    __builtin_memcpy(&frag.src, &ip->saddr, sizeof frag.src);
    __builtin_memcpy(&frag.dst, &ip->daddr, sizeof frag.dst);
    if (h.offset_more & bpf_htons(0xfff8))
        return bpf_map_lookup_elem(&jr_frags, &frag) ? STEER_SERVICE : STEER_KERNEL;
    if (STEER_LOAD(ctx, off + sizeof h, ports, sizeof ports) || !steer_has_port(h.next_header, 1, ports[1]))
        return STEER_KERNEL;
    bpf_map_update_elem(&jr_frags, &frag, &one, BPF_ANY);
    return STEER_SERVICE;
}

/* Packets with other extension headers stay the kernel's. */
static __always_inline enum steer steer_v6_packet(void *ctx, __u32 off)
{
    struct ipv6hdr ip;
    __be16 ports[2];
    if (STEER_LOAD(ctx, off, &ip, sizeof ip))
        return STEER_KERNEL;
    struct jr_steer_addr dst;
    __builtin_memcpy(&dst, &ip.daddr, sizeof dst);
    if (!steer_has_addr(&dst) || STEER_LOAD(ctx, off + sizeof ip, ports, sizeof ports))
        return STEER_KERNEL;
    if (ip.nexthdr == IPPROTO_FRAGMENT)
        return steer_v6_fragment(ctx, off + sizeof ip, &ip);
    if (ip.nexthdr == IPPROTO_ICMPV6) {
        __u8 type = *(__u8 *)ports;
        return type >= 1 && type <= ICMP6_PARAMPROB ? steer_quote_v6(ctx, off + sizeof ip + ICMP_HEADER_BYTES)
                                                    : STEER_KERNEL;
    }
    return steer_has_port(ip.nexthdr, 1, ports[1]) ? STEER_SERVICE : STEER_KERNEL;
}

static __always_inline int steer_is_exclusive(void)
{
    __u32 zero = 0;
    struct jr_steer_conf *conf = bpf_map_lookup_elem(&jr_conf, &zero);
    return conf && conf->exclusive;
}

static __always_inline enum steer steer_frame(void *ctx)
{
    struct ethhdr eth;
    if (steer_is_exclusive())
        return STEER_SERVICE;
    if (STEER_LOAD(ctx, 0, &eth, sizeof eth))
        return STEER_KERNEL;
    if (eth.h_proto == bpf_htons(ETH_P_IP))
        return steer_v4_packet(ctx, sizeof eth);
    if (eth.h_proto == bpf_htons(ETH_P_IPV6))
        return steer_v6_packet(ctx, sizeof eth);
    return STEER_KERNEL;
}

#endif
