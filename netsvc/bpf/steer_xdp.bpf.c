/* SPDX-License-Identifier: BSD-3-Clause */
/* XDP: the service's frames go to its AF_XDP socket, all others on to the kernel's stack. */
#define STEER_LOAD(ctx, off, to, bytes) bpf_xdp_load_bytes((struct xdp_md *)(ctx), off, to, bytes)
#include "steer.h"

/* The driver puts its sockets in here, by receive queue. */
struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

SEC("xdp")
int jr_steer_xdp(struct xdp_md *ctx)
{
    if (steer_frame(ctx) == STEER_KERNEL)
        return XDP_PASS;
    return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "BSD-3-Clause";
