/* SPDX-License-Identifier: BSD-3-Clause */
/* The loopback interface: what goes by it, and what must never come from the wire. */
#include <errno.h>
#include <sys/socket.h>

#include "host.h"
#include "link/loopif.h"

#define SELF IP4(127, 0, 0, 1)
#define OTHER IP4(10, 9, 9, 9)
#define SELF6 ((struct jr_addr){.b = {[15] = 1}})

static struct host h;
static struct frame f;
static struct jr_netif *lo;

static struct app {
    struct jr_udpcb *up;
    unsigned calls;
    int err;
    struct jr_endpoint from;
    uint32_t len;
    bool broadcast;
} app[4];

static void on_input(void *so, struct jr_udpcb *up, const struct jr_endpoint *from, const struct jr_ip_rx *rx,
                     const uint8_t *data, uint32_t len, jr_time now)
{
    struct app *a = so;
    (void)up, (void)data, (void)now;
    a->calls++;
    a->from = *from;
    a->len = len;
    a->broadcast = rx->broadcast;
    JR_CHECK(rx->loop);
}

static void on_error(void *so, struct jr_udpcb *up, int err, jr_time now)
{
    (void)up, (void)now;
    ((struct app *)so)->err = err;
}
static const struct jr_udp_upcalls upcalls = {on_input, on_error, NULL};

static void init(bool shared)
{
    struct jr_ip_config cfg;
    jr_ip_config_defaults(&cfg);
    cfg.shared = shared;
    host_init(&h, &cfg);
    lo = jr_loopif_new(&h.counters, &h.rng);
    lo->ifindex = 1;
    JR_CHECK_EQ(jr_ip_set_loop(h.ip, lo, h.now), 0);
    memset(app, 0, sizeof app);
}

static void fini(void)
{
    JR_CHECK_EQ(lo->dev->tx_pool->in_use, 0);
    for (unsigned i = 0; i < JR_ARRAY_LEN(app); i++)
        if (app[i].up)
            jr_udp_close(app[i].up);
    host_fini(&h);
    jr_loopif_free(lo);
}

static int bind_app(unsigned i, struct jr_addr addr, uint16_t port)
{
    const struct jr_endpoint local = {addr, port};
    app[i].up = jr_udp_open(h.udp, &upcalls, &app[i]);
    return jr_udp_bind(app[i].up, &local, 0);
}

static int send_app(unsigned i, struct jr_addr to, uint16_t port, uint32_t len)
{
    static uint8_t data[65527];
    const struct jr_endpoint ep = {to, port};
    return jr_udp_send(app[i].up, &ep, data, len, NULL, 0, 0, 0, h.now);
}

/* rfc: 1122 3.2.1.3 */
JR_TEST(reaches_itself_by_every_address_of_its_own)
{
    const struct jr_addr to[] = {SELF, IP4(127, 1, 2, 3), US, OTHER};
    const struct jr_addr from[] = {SELF, SELF, US, OTHER};
    init(false);
    JR_CHECK_EQ(jr_ip_loop_addr_add(h.ip, OTHER), 0);
    JR_CHECK_EQ(bind_app(0, ANY, 53), 0);
    JR_CHECK_EQ(bind_app(1, ANY, 1000), 0);
    for (unsigned i = 0; i < JR_ARRAY_LEN(to); i++) {
        JR_CHECK_EQ(send_app(1, to[i], 53, 65507), 0);
        JR_CHECK_EQ(app[0].calls, i);
        JR_CHECK_EQ(jr_ip_run_loop(h.ip, h.now), 1);
        JR_CHECK_EQ(app[0].calls, i + 1);
        JR_CHECK_EQ(app[0].len, 65507);
        JR_CHECK(jr_addr_eq(app[0].from.addr, from[i]));
    }
    JR_CHECK(host_sent(&h) == NULL);
    JR_CHECK_EQ(jr_ip_loop_addr_del(h.ip, OTHER), 0);
    JR_CHECK(!jr_ip_is_local(h.ip, OTHER));
    fini();
}

/* rfc: 4291 2.5.3 */
JR_TEST(reaches_itself_by_ipv6_in_fragments_if_it_must)
{
    init(false);
    JR_CHECK_EQ(bind_app(0, SELF6, 53), 0);
    JR_CHECK_EQ(bind_app(1, SELF6, 1000), 0);
    JR_CHECK_EQ(send_app(1, SELF6, 53, 65527), 0);
    JR_CHECK_EQ(jr_ip_run_loop(h.ip, h.now), 2);
    JR_CHECK_EQ(app[0].len, 65527);
    JR_CHECK(jr_addr_eq(app[0].from.addr, SELF6));
    fini();
}

/* However often, and also where the kernel answers on the wire: it never saw the datagram. */
JR_TEST(tells_of_closed_ports_at_once)
{
    init(true);
    const struct jr_endpoint closed = {SELF, 9}, closed6 = {SELF6, 9};
    JR_CHECK_EQ(bind_app(0, SELF, 1000), 0);
    JR_CHECK_EQ(bind_app(1, SELF6, 1000), 0);
    JR_CHECK_EQ(jr_udp_connect(app[0].up, &closed), 0);
    JR_CHECK_EQ(jr_udp_connect(app[1].up, &closed6), 0);
    for (unsigned i = 0; i < 1000; i++) {
        app[0].err = app[1].err = 0;
        JR_CHECK_EQ(send_app(0, SELF, 9, 10), 0);
        JR_CHECK_EQ(send_app(1, SELF6, 9, 10), 0);
        JR_CHECK_EQ(jr_ip_run_loop(h.ip, h.now), 4);
        JR_CHECK_EQ(app[0].err, ECONNREFUSED);
        JR_CHECK_EQ(app[1].err, ECONNREFUSED);
    }
    fini();
}

JR_TEST(broadcasts_reach_each_socket_once)
{
    const int32_t on = 1;
    init(false);
    JR_CHECK_EQ(bind_app(0, ANY, 53), 0);
    JR_CHECK_EQ(bind_app(1, ANY, 1000), 0);
    JR_CHECK_EQ(send_app(1, IP4(127, 255, 255, 255), 53, 3), -EACCES);
    JR_CHECK_EQ(jr_udp_setopt(app[1].up, SOL_SOCKET, SO_BROADCAST, &on, sizeof on, h.now), 0);
    JR_CHECK_EQ(send_app(1, IP4(127, 255, 255, 255), 53, 3), 0);
    JR_CHECK_EQ(jr_ip_run_loop(h.ip, h.now), 1);
    JR_CHECK_EQ(app[0].calls, 1);
    JR_CHECK(app[0].broadcast);
    fini();
}

/* rfc: 1122 3.2.1.3 */
JR_TEST(the_wire_has_no_loopback_addresses)
{
    init(false);
    JR_CHECK_EQ(bind_app(0, ANY, 53), 0);
    frame_udp(&f, FAR, 999, SELF, 53, "x", 1);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_BAD_DST), 1);
    frame_udp(&f, SELF, 999, US, 53, "x", 1);
    host_rx(&h, f.b, f.len);
    frame_udp(&f, US, 999, US, 53, "x", 1);
    host_rx(&h, f.b, f.len);
    JR_CHECK_EQ(host_counted(&h, JR_C_IP_BAD_SRC), 2);
    JR_CHECK_EQ(app[0].calls, 0);
    fini();
}

JR_TEST_MAIN
