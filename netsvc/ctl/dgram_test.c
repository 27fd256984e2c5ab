/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP sockets of programs on two hosts. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "ctl/rig_test.h"

static struct rig rig;
static struct rig_app a, b;
static struct rig_sock c, s;

static void start(void)
{
    uint32_t route;

    rig_init(&rig, NULL);
    JR_CHECK(rig_attach(&a, &rig.a));
    JR_CHECK(rig_attach(&b, &rig.b));
    JR_CHECK(rig_socket(&c, &a, SOCK_DGRAM));
    JR_CHECK(rig_socket(&s, &b, SOCK_DGRAM));
    JR_CHECK_EQ(rig_bind(&s, rig.b.addr, 5000, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_SERVICE);
    rig_sendto(&s, "", 0, rig.a.addr, 9); /* the hosts resolve each other: only few packets may wait for that */
    rig_run(&rig, 5 * JR_MS);
}

static void end(void)
{
    rig_detach(&a);
    rig_detach(&b);
    rig_fini(&rig);
}

JR_TEST(there_and_back)
{
    struct jr_abi_addr from;
    char buf[2000], big[3000];

    start();
    JR_CHECK(rig_sendto(&c, "question", 8, rig.b.addr, 5000));
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recvfrom(&s, buf, sizeof buf, &from), 8);
    JR_CHECK_MEM(buf, "question", 8);
    JR_CHECK_EQ(from.port, c.sl->local.port);
    JR_CHECK_MEM(from.addr, rig.a.addr.b, 16);
    JR_CHECK(rig_state(&c) & JR_ST_BOUND);
    memset(big, 'x', sizeof big);
    JR_CHECK(rig_sendto(&s, big, sizeof big, rig.a.addr, from.port)); /* in fragments */
    JR_CHECK(rig_sendto(&s, "", 0, rig.a.addr, from.port));
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recvfrom(&c, buf, sizeof buf, NULL), 3000);
    JR_CHECK_EQ(rig_recvfrom(&c, buf, sizeof buf, NULL), 0);
    JR_CHECK_EQ(rig_recvfrom(&c, buf, sizeof buf, NULL), -1);
    end();
}

JR_TEST(connected_hears_of_refusal)
{
    start();
    JR_CHECK_EQ(rig_connect(&c, rig.b.addr, 5001, NULL), 0);
    JR_CHECK(rig_state(&c) & JR_ST_CONNECTED);
    JR_CHECK(rig_sendto(&c, "x", 1, (struct jr_addr){0}, 0));
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_error(&c), ECONNREFUSED);
    JR_CHECK(!(rig_state(&c) & JR_ST_DEAD));
    end();
}

JR_TEST(many_and_in_order)
{
    uint32_t got = 0, sent = 0, n;

    start();
    for (int turns = 0; got < 20000 && turns < 100000; turns++) {
        while (sent < 20000 && sent - got < 100 && rig_sendto(&c, &sent, sizeof sent, rig.b.addr, 5000))
            sent++;
        rig_step(&rig);
        while (rig_recvfrom(&s, &n, sizeof n, NULL) == (int)sizeof n)
            JR_REQUIRE(n == got++);
    }
    JR_CHECK_EQ(got, 20000);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_SHM_DGRAM_BAD) + rig_count(&rig.b, JR_C_SOCK_DGRAM_RX_FULL), 0);
    end();
}

JR_TEST(a_full_ring_drops_and_counts)
{
    uint8_t buf[1000] = {0};
    uint32_t n = 0;

    start();
    for (int i = 0; i < 2000; i++) {
        rig_sendto(&c, buf, sizeof buf, rig.b.addr, 5000);
        rig_step(&rig);
    }
    rig_run(&rig, 10 * JR_MS);
    while (rig_recvfrom(&s, buf, sizeof buf, NULL) > 0)
        n++;
    JR_CHECK(n >= 200 && n < 2000);
    JR_CHECK_EQ(n + rig_count(&rig.b, JR_C_SOCK_DGRAM_RX_FULL), 2000);
    rig_sendto(&c, buf, sizeof buf, rig.b.addr, 5000);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recvfrom(&s, buf, sizeof buf, NULL), 1000);
    end();
}

JR_TEST(a_lying_record_ends_the_socket_only)
{
    static const uint32_t lies[] = {70000, 65508, 40, UINT32_MAX};

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        start();
        struct jr_abi_dgram h = {.len = lies[i]};
        memcpy(c.tx, &h, sizeof h);
        c.sl->tx.tail = 72;
        rig_mark(&c);
        rig_run(&rig, 2 * JR_MS);
        JR_CHECK_EQ(rig_error(&c), ECONNABORTED);
        JR_CHECK(rig_state(&c) & JR_ST_DEAD);
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_SHM_DGRAM_BAD), 1);
        rig_mark(&c);
        rig_run(&rig, 2 * JR_MS);
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_SHM_DGRAM_BAD), 1);
        end();
    }
}

JR_TEST(broadcast_needs_permission)
{
    start();
    JR_CHECK(rig_sendto(&c, "x", 1, jr_addr_v4(0xffffffff), 5000));
    rig_run(&rig, 2 * JR_MS);
    JR_CHECK_EQ(rig_error(&c), EACCES);
    JR_CHECK_EQ(rig_setopt(&c, SOL_SOCKET, SO_BROADCAST, 1), 0);
    end();
}

JR_TEST(wildcard_goes_to_the_kernel_by_default)
{
    struct rig_sock w;
    uint32_t route = 99;

    start();
    JR_REQUIRE(rig_socket(&w, &b, SOCK_DGRAM));
    JR_CHECK_EQ(rig_bind(&w, jr_addr_v4(0), 5002, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_KERNEL);
    end();
}

JR_TEST(what_was_written_before_close_is_sent)
{
    char buf[16];

    start();
    for (int i = 0; i < 150; i++)
        JR_CHECK(rig_sendto(&c, &i, sizeof i, rig.b.addr, 5000));
    rig_close(&c);
    rig_run(&rig, 10 * JR_MS);
    int n = 0;
    while (rig_recvfrom(&s, buf, sizeof buf, NULL) > 0)
        n++;
    JR_CHECK_EQ(n, 150);
    end();
}

JR_TEST_MAIN
