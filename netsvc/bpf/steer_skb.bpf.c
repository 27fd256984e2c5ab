/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_PACKET: the socket gets its copy before the ingress hook, so the socket's filter keeps what is the service's
 * and the hook drops the same frames for the kernel. ICMP errors reach both.
 */
#define STEER_LOAD(ctx, off, to, bytes) bpf_skb_load_bytes(ctx, off, to, bytes)
#include "steer.h"

#include <linux/pkt_cls.h>

/* On a shared port a frame whose tag the device took off belongs to another interface, unless the tag was only a
 * priority (VLAN 0). */
static __always_inline enum steer steer_skb(struct __sk_buff *skb)
{
    if (skb->vlan_present && skb->vlan_tci & 0xfff && !steer_is_exclusive())
        return STEER_KERNEL;
    return steer_frame(skb);
}

SEC("tc")
int jr_steer_tc(struct __sk_buff *skb) { return steer_skb(skb) == STEER_SERVICE ? TC_ACT_SHOT : TC_ACT_UNSPEC; }

SEC("socket")
int jr_steer_sock(struct __sk_buff *skb) { return steer_skb(skb) == STEER_KERNEL ? 0 : -1; }

char _license[] SEC("license") = "BSD-3-Clause";
