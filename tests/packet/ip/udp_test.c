/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP: who gets a datagram, what leaves, which errors come back. */
#include <errno.h>

#include "host.h"

static struct host h;
static struct frame f;

/* One of the program's sockets: what it was given last. */
struct app {
    struct jr_udpcb *up;
    unsigned calls, errors;
    int err;
    struct jr_endpoint from;
    uint32_t len;
    uint8_t data[66000];
};

static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    struct app *app = so;
    (void)rx, (void)now;
    JR_CHECK(up == app->up);
    app->calls++;
    app->from = *from;
    app->len = len;
    memcpy(app->data, data, len);
}
static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now)
{
    struct app *app = so;
    (void)up, (void)now;
    app->errors++;
    app->err = err;
}
static const struct jr_udp_upcalls upcalls = {on_input, on_error, NULL};

static struct app app[8];

static void init(uint32_t mtu)
{
    host_init_mtu(&h, NULL, mtu, 0);
    memset(app, 0, sizeof app);
}

static struct jr_udpcb *open_app(unsigned i)
{
    app[i].up = jr_udp_open(h.udp, &upcalls, &app[i]);
    return app[i].up;
}

static int bind_app(unsigned i, struct jr_addr addr, uint16_t port, uint32_t flags)
{
    const struct jr_endpoint local = {addr, port};
    return jr_udp_bind(open_app(i), &local, flags);
}

static int connect_app(unsigned i, struct jr_addr addr, uint16_t port)
{
    const struct jr_endpoint to = {addr, port};
    return jr_udp_connect(app[i].up, &to);
}

static void rx(struct jr_addr src, uint16_t sport, struct jr_addr dst, uint16_t dport, const char *text)
{
    frame_udp(&f, src, sport, dst, dport, text, (uint32_t)strlen(text));
    host_rx(&h, f.b, f.len);
}

/* Which sockets got something since the last call, a bit each. */
static unsigned who(void)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < JR_ARRAY_LEN(app); i++) {
        mask |= app[i].calls ? 1u << i : 0;
        app[i].calls = 0;
    }
    return mask;
}

/* rfc: 1122 4.1.3.5 */
JR_TEST(receives_on_wildcard_and_specific)
{
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 53, 0), 0);
    rx(FAR, 999, US, 53, "query");
    JR_CHECK_EQ(who(), 1);
    JR_CHECK(app[0].len == 5 && memcmp(app[0].data, "query", 5) == 0);
    JR_CHECK(jr_addr_eq(app[0].from.addr, FAR) && app[0].from.port == 999);
    rx(FAR, 999, US, 53, "");
    JR_CHECK(who() == 1 && app[0].len == 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_RX), 2);
    host_fini(&h);
}

/* rfc: 1122 4.1.3.5 */
JR_TEST(the_best_match_gets_it)
{
    const uint32_t share = JR_UDP_BIND_REUSEADDR;
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 53, share), 0);
    JR_CHECK_EQ(bind_app(1, US, 53, share), 0);
    JR_CHECK_EQ(bind_app(2, US, 53, share), 0);
    JR_CHECK_EQ(connect_app(2, FAR, 7), 0);
    JR_CHECK_EQ(bind_app(3, ANY, 53, share), 0);
    rx(FAR, 7, US, 53, "x");
    JR_CHECK_EQ(who(), 1 << 2);
    rx(FAR, 8, US, 53, "x");
    JR_CHECK_EQ(who(), 1 << 1);
    jr_udp_close(app[1].up);
    rx(FAR, 8, US, 53, "x");
    JR_CHECK_EQ(who(), 1 << 3); /* the latest of equals */
    jr_udp_close(app[3].up);
    rx(FAR, 8, US, 53, "x");
    JR_CHECK_EQ(who(), 1 << 0);
    rx(FAR, 8, SUBNET_BCAST, 53, "x");
    JR_CHECK_EQ(who(), 1 << 0);
    host_fini(&h);
}

/* rfc: 1122 3.3.6 */
JR_TEST(broadcast_goes_to_all_that_fit)
{
    const uint32_t share = JR_UDP_BIND_REUSEADDR;
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 67, share), 0);
    JR_CHECK_EQ(bind_app(1, ANY, 67, share), 0);
    JR_CHECK_EQ(bind_app(2, SUBNET_BCAST, 67, share), 0);
    JR_CHECK_EQ(bind_app(3, US, 67, share), 0);
    rx(PEER, 68, SUBNET_BCAST, 67, "x");
    JR_CHECK_EQ(who(), 7);
    rx(ANY, 68, IP4(255, 255, 255, 255), 67, "dhcp");
    JR_CHECK_EQ(who(), 3);
    rx(PEER, 68, SUBNET_BCAST, 68, "x");
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_NO_PORT_BROADCAST), 1);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

/* rfc: socket(7) SO_REUSEPORT */
JR_TEST(reuseport_spreads_flows_and_keeps_each_together)
{
    unsigned count[4] = {0};
    init(1500);
    for (unsigned i = 0; i < 4; i++)
        JR_CHECK_EQ(bind_app(i, ANY, 443, JR_UDP_BIND_REUSEPORT), 0);
    for (uint16_t port = 1000; port < 1400; port++) {
        rx(FAR, port, US, 443, "a");
        const unsigned first = who();
        rx(FAR, port, US, 443, "b");
        JR_CHECK_EQ(who(), first);
        JR_CHECK(jr_is_pow2(first) && first < 16);
        count[__builtin_ctz(first | 16) & 3]++;
    }
    for (unsigned i = 0; i < 4; i++)
        JR_CHECK(count[i] > 50 && count[i] < 150);
    /* a better match in the same group gets all, however many fit less well */
    JR_CHECK_EQ(bind_app(4, US, 444, JR_UDP_BIND_REUSEPORT), 0);
    JR_CHECK_EQ(bind_app(5, ANY, 444, JR_UDP_BIND_REUSEPORT), 0);
    JR_CHECK_EQ(bind_app(6, ANY, 444, JR_UDP_BIND_REUSEPORT), 0);
    for (uint16_t port = 1000; port < 1040; port++) {
        rx(FAR, port, US, 444, "a");
        JR_CHECK_EQ(who(), 1 << 4);
    }
    host_fini(&h);
}

JR_TEST(bind_rules)
{
    init(1500);
    JR_CHECK_EQ(bind_app(0, US, 53, 0), 0);
    JR_CHECK_EQ(bind_app(1, US, 53, 0), -EADDRINUSE);
    JR_CHECK_EQ(bind_app(1, ANY, 53, JR_UDP_BIND_REUSEADDR), -EADDRINUSE); /* both must want to share */
    JR_CHECK_EQ(bind_app(1, PEER, 54, 0), -EADDRNOTAVAIL);
    JR_CHECK_EQ(bind_app(1, SUBNET_BCAST, 53, 0), 0); /* another address */
    JR_CHECK_EQ(bind_app(2, ANY, 60, JR_UDP_BIND_REUSEPORT), 0);
    JR_CHECK_EQ(bind_app(3, ANY, 60, JR_UDP_BIND_REUSEADDR), -EADDRINUSE);
    JR_CHECK_EQ(bind_app(3, ANY, 60, JR_UDP_BIND_REUSEPORT), 0);
    const struct jr_endpoint again = {ANY, 61};
    JR_CHECK_EQ(jr_udp_bind(app[3].up, &again, 0), -EINVAL);
    struct jr_endpoint local;
    JR_CHECK_EQ(bind_app(4, ANY, 0, 0), 0);
    jr_udp_local(app[4].up, &local);
    JR_CHECK(local.port >= 49152 && jr_addr_is_any(local.addr));
    jr_udp_close(app[0].up);
    JR_CHECK_EQ(bind_app(5, US, 53, 0), 0);
    host_fini(&h);
}

/* rfc: 6056 3.3.1 */
JR_TEST(ephemeral_ports_run_out_and_come_back)
{
    static struct jr_udpcb *pcb[20];
    const uint8_t secret[16] = {1};
    const struct jr_endpoint any = {ANY, 0};
    struct jr_endpoint local;
    uint32_t seen = 0;
    init(1500);
    jr_udp_free(h.udp);
    h.udp = jr_udp_new(h.ip, 40000, 40015, secret);
    for (unsigned i = 0; i < 16; i++) {
        pcb[i] = jr_udp_open(h.udp, &upcalls, NULL);
        JR_CHECK_EQ(jr_udp_bind(pcb[i], &any, 0), 0);
        jr_udp_local(pcb[i], &local);
        seen |= 1u << (local.port - 40000);
    }
    JR_CHECK_EQ(seen, 0xffff);
    pcb[16] = jr_udp_open(h.udp, &upcalls, NULL);
    JR_CHECK_EQ(jr_udp_bind(pcb[16], &any, 0), -EADDRINUSE);
    const struct jr_endpoint to = {FAR, 53};
    JR_CHECK_EQ(jr_udp_connect(pcb[16], &to), -EADDRINUSE);
    JR_CHECK_EQ(jr_udp_send(pcb[16], &to, "x", 1, NULL, 0, 0, 0, h.now), -EADDRINUSE);
    jr_udp_close(pcb[3]);
    JR_CHECK_EQ(jr_udp_connect(pcb[16], &to), 0);
    host_fini(&h);
}

JR_TEST(connect_chooses_the_source_and_disconnect_undoes_it)
{
    struct jr_endpoint ep;
    init(1500);
    open_app(0);
    JR_CHECK_EQ(connect_app(0, FAR, 53), 0);
    jr_udp_local(app[0].up, &ep);
    JR_CHECK(jr_addr_eq(ep.addr, US) && ep.port >= 49152);
    const uint16_t port = ep.port;
    jr_udp_remote(app[0].up, &ep);
    JR_CHECK(jr_addr_eq(ep.addr, FAR) && ep.port == 53);
    rx(FAR, 53, US, port, "x");
    JR_CHECK_EQ(who(), 1);
    rx(PEER, 53, US, port, "x"); /* not from whom it is connected to */
    rx(FAR, 54, US, port, "x");
    JR_CHECK_EQ(who(), 0);
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_NO_PORT), 2);
    JR_CHECK_EQ(connect_app(0, PEER, 9), 0); /* again, elsewhere */
    rx(PEER, 9, US, port, "x");
    JR_CHECK_EQ(who(), 1);
    jr_udp_disconnect(app[0].up);
    jr_udp_local(app[0].up, &ep);
    JR_CHECK(jr_addr_is_any(ep.addr) && ep.port == 0);
    rx(PEER, 9, US, port, "x");
    JR_CHECK_EQ(who(), 0);
    JR_CHECK_EQ(connect_app(0, FAR, 0), 0); /* nowhere; but what comes from there is taken */
    jr_udp_local(app[0].up, &ep);
    rx(FAR, 9, US, ep.port, "x");
    JR_CHECK_EQ(who(), 1);
    rx(PEER, 9, US, ep.port, "x");
    JR_CHECK_EQ(who(), 0);
    JR_CHECK_EQ(connect_app(0, IP4(127, 0, 0, 1), 5), -ENETUNREACH);
    JR_CHECK_EQ(bind_app(1, ANY, 77, 0), 0);
    JR_CHECK_EQ(connect_app(1, FAR, 53), 0);
    jr_udp_disconnect(app[1].up);
    rx(PEER, 9, US, 77, "x"); /* a port given by bind() stays */
    JR_CHECK_EQ(who(), 2);
    host_fini(&h);
}

static uint8_t pattern[66000];
static uint8_t rebuilt[66000];

/* Puts together what was sent and gives it back as if the peer had sent it; returns its UDP length. */
static uint32_t rebuild(unsigned *packets)
{
    uint32_t at = 0;
    *packets = 0;
    while (h.dev.sent.count) {
        struct sent s;
        if (host_sent_ipv4(&h, &s)) {
            JR_CHECK_EQ(s.ip.frag_off, at);
            memcpy(rebuilt + at, s.payload, s.len);
            at += s.len;
            ++*packets;
        }
        sent_free(&s);
    }
    return at;
}

JR_TEST(sends_from_two_pieces)
{
    static const uint32_t lens[] = {0, 1, 7, 100, 1471, 1472, 1473, 9000, 65506, 65507};
    const struct jr_endpoint to = {FAR, 53};
    init(1500);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)(i * 5 + i / 256);
    open_app(0);
    for (size_t i = 0; i < JR_ARRAY_LEN(lens); i++) {
        for (uint32_t cut = 0; cut <= lens[i]; cut += lens[i] / 3 + 1) {
            struct jr_udp_hdr hdr;
            unsigned packets;
            JR_CHECK_EQ(jr_udp_send(app[0].up, &to, pattern, cut, pattern + cut, lens[i] - cut, 0, 0, h.now), 0);
            host_flush(&h);
            const uint32_t len = rebuild(&packets);
            JR_CHECK_EQ(len, lens[i] + 8);
            JR_CHECK_EQ(packets, (len + 1479) / 1480);
            JR_CHECK_EQ(jr_udp_parse(rebuilt, len, &hdr), JR_WIRE_OK);
            JR_CHECK(hdr.has_cksum && jr_udp_cksum_ok(rebuilt, &hdr, US, FAR));
            JR_CHECK(hdr.dport == 53 && hdr.sport >= 49152);
            JR_CHECK_MEM(rebuilt + 8, pattern, lens[i]);
        }
    }
    JR_CHECK_EQ(jr_udp_send(app[0].up, &to, pattern, 65508, NULL, 0, 0, 0, h.now), -EMSGSIZE);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &to, pattern, 0xffffffff, NULL, 0xffffffff, 0, 0, h.now), -EMSGSIZE);
    JR_CHECK_EQ(host_discard(&h), 0);
    host_fini(&h);
}

JR_TEST(send_rules)
{
    const struct jr_endpoint no_port = {FAR, 0}, nowhere = {IP4(127, 0, 0, 1), 5}, far = {FAR, 5}, peer = {PEER, 6};
    struct sent s;
    init(1500);
    open_app(0);
    JR_CHECK_EQ(jr_udp_send(app[0].up, NULL, "x", 1, NULL, 0, 0, 0, h.now), -EDESTADDRREQ);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &no_port, "x", 1, NULL, 0, 0, 0, h.now), -EINVAL);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &nowhere, "x", 1, NULL, 0, 0, 0, h.now), -ENETUNREACH);
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_TX_FAILED), 1);
    JR_CHECK_EQ(connect_app(0, FAR, 5), 0);
    JR_CHECK_EQ(jr_udp_send(app[0].up, NULL, "x", 1, NULL, 0, 0xb8, 3, h.now), 0);
    host_flush(&h);
    if (host_sent_ipv4(&h, &s))
        JR_CHECK(jr_addr_eq(s.ip.dst, FAR) && s.ip.tos == 0xb8 && s.ip.ttl == 3 && jr_load_be16(s.payload + 2) == 5);
    sent_free(&s);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &peer, "x", 1, NULL, 0, 0, 0, h.now), 0); /* elsewhere for once */
    host_flush(&h);
    if (host_sent_ipv4(&h, &s))
        JR_CHECK(jr_addr_eq(s.ip.dst, PEER) && s.ip.ttl == 64);
    sent_free(&s);
    h.dev.pool.fail_in = 1;
    JR_CHECK_EQ(jr_udp_send(app[0].up, &far, "x", 1, NULL, 0, 0, 0, h.now), -ENOBUFS);
    host_fini(&h);
}

JR_TEST(kept_route_follows_changes)
{
    const struct jr_endpoint far = {FAR, 5};
    const struct jr_ip_route_conf direct = {.dst = FAR, .plen = 32, .ifp = NULL, .gw = ANY, .src = ANY};
    struct jr_ip_route_conf via_peer = {.dst = FAR, .plen = 32, .gw = PEER, .src = ANY};
    struct sent s;
    init(1500);
    open_app(0);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &far, "x", 1, NULL, 0, 0, 0, h.now), 0);
    host_flush(&h);
    if (host_sent_ipv4(&h, &s))
        JR_CHECK(jr_ether_eq(s.eth.dst, MAC_ROUTER));
    sent_free(&s);
    via_peer.ifp = h.ifp;
    JR_CHECK_EQ(jr_ip_route_add(h.ip, &via_peer), 0);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &far, "x", 1, NULL, 0, 0, 0, h.now), 0);
    host_flush(&h);
    if (host_sent_ipv4(&h, &s))
        JR_CHECK(jr_ether_eq(s.eth.dst, MAC_PEER));
    sent_free(&s);
    JR_CHECK_EQ(jr_ip_route_add(h.ip, &direct), 0);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &far, "x", 1, NULL, 0, 0, 0, h.now), -ENETUNREACH);
    host_fini(&h);
}

/* rfc: 1122 4.1.3.1 */
JR_TEST(nobody_there_is_told_to_the_sender)
{
    struct sent s;
    struct jr_icmp icmp;
    init(1500);
    rx(FAR, 1000, US, 2000, "anybody?");
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_NO_PORT), 1);
    if (host_sent_ipv4(&h, &s)) {
        JR_CHECK_EQ(jr_icmp_parse(s.payload, s.len, &icmp), JR_WIRE_OK);
        JR_CHECK(icmp.type == JR_ICMP_UNREACH && icmp.code == JR_ICMP_UNREACH_PORT);
        JR_CHECK_EQ(s.len, 8 + 28 + 8);
        JR_CHECK_MEM(s.payload + 8, f.b + 14, 36);
    }
    sent_free(&s);
    host_fini(&h);
}

static void icmp_error(uint16_t sport, uint16_t dport, uint8_t type, uint8_t code, uint32_t rest)
{
    uint8_t quote[28];
    quote_udp(quote, US, sport, FAR, dport);
    frame_icmp(&f, ROUTER, US, &(struct jr_icmp){type, code, rest}, quote, 28);
    host_rx(&h, f.b, f.len);
}

/* rfc: 1122 4.1.3.3 */
JR_TEST(connected_sockets_hear_of_errors)
{
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 500, 0), 0);
    JR_CHECK_EQ(connect_app(0, FAR, 53), 0);
    icmp_error(500, 53, JR_ICMP_UNREACH, JR_ICMP_UNREACH_PORT, 0);
    JR_CHECK(app[0].errors == 1 && app[0].err == ECONNREFUSED);
    icmp_error(500, 53, JR_ICMP_UNREACH, JR_ICMP_UNREACH_HOST, 0); /* a hint only */
    icmp_error(500, 54, JR_ICMP_UNREACH, JR_ICMP_UNREACH_PORT, 0); /* not ours */
    JR_CHECK_EQ(app[0].errors, 1);
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_CTL_UNMATCHED), 1);
    JR_CHECK_EQ(bind_app(1, ANY, 501, 0), 0); /* not connected: nothing to say it with */
    icmp_error(501, 53, JR_ICMP_UNREACH, JR_ICMP_UNREACH_PORT, 0);
    JR_CHECK_EQ(app[1].errors, 0);
    host_fini(&h);
}

JR_TEST(path_mtu_needs_a_socket_that_may_have_sent)
{
    struct jr_ip_route rt;
    const struct jr_endpoint far = {FAR, 53};
    unsigned packets;
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 500, 0), 0);
    icmp_error(499, 53, JR_ICMP_UNREACH, JR_ICMP_UNREACH_FRAG, 1000);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && rt.mtu == 1500);
    icmp_error(500, 53, JR_ICMP_UNREACH, JR_ICMP_UNREACH_FRAG, 1000);
    JR_CHECK(jr_ip_route(h.ip, FAR, &rt) && rt.mtu == 1000);
    JR_CHECK_EQ(jr_udp_send(app[0].up, &far, pattern, 1400, NULL, 0, 0, 0, h.now), 0);
    host_flush(&h);
    JR_CHECK_EQ(rebuild(&packets), 1408);
    JR_CHECK_EQ(packets, 2);
    host_fini(&h);
}

/* rfc: 1122 4.1.3.4; 768 2 */
JR_TEST(checksums)
{
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 53, 0), 0);
    frame_udp(&f, PEER, 9, US, 53, "abc", 3);
    f.b[f.len - 1] ^= 1;
    host_rx(&h, f.b, f.len);
    JR_CHECK(who() == 0 && host_counted(&h, JR_C_UDP_BAD_CKSUM) == 1);
    jr_store_be16(f.b + 34 + 6, 0); /* none taken */
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(who(), 1);
    jr_store_be16(f.b + 34 + 6, 0x1234);
    struct jr_pkt *pkt = fake_dev_frame(&h.dev, f.b, f.len);
    pkt->flags = JR_PKT_RX_L4_CSUM_OK;
    jr_ip_input(h.ifp, pkt, h.now);
    JR_CHECK_EQ(who(), 1);
    host_fini(&h);
}

/* rfc: 768 1 */
JR_TEST(length_field_rules)
{
    init(1500);
    JR_CHECK_EQ(bind_app(0, ANY, 53, 0), 0);
    for (uint32_t len = 0; len < 20; len++) {
        frame_udp(&f, PEER, 9, US, 53, "abc", 3);
        jr_store_be16(f.b + 34 + 4, (uint16_t)len);
        jr_store_be16(f.b + 34 + 6, 0);
        host_rx(&h, f.b, f.len);
        JR_CHECK_EQ(who(), len >= 8 && len <= 11);
        if (len >= 8 && len <= 11)
            JR_CHECK_EQ(app[0].len, len - 8);
    }
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_BAD_LEN), 16);
    rx(PEER, 9, US, 0, "x");
    JR_CHECK_EQ(host_counted(&h, JR_C_UDP_PORT_ZERO), 1);
    host_fini(&h);
}

JR_TEST(sockets_left_open_are_freed_with_the_stack)
{
    init(1500);
    open_app(0);
    JR_CHECK_EQ(bind_app(1, ANY, 5, 0), 0);
    open_app(2);
    JR_CHECK_EQ(connect_app(2, FAR, 5), 0);
    host_fini(&h);
}

JR_TEST_MAIN
