/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP sockets of programs on two hosts: attach, connect, accept, data, ends. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/rig_test.h"

static struct rig rig;
static struct rig_app a, b;
static struct rig_sock c, l, s;

static void start(void (*tweak)(struct jr_ctl_config *))
{
    rig_init(&rig, tweak);
    JR_CHECK(rig_attach(&a, &rig.a));
    JR_CHECK(rig_attach(&b, &rig.b));
}

static void spin_a_little(struct jr_ctl_config *cfg) { cfg->spin_us = 9; }

static void end(void)
{
    rig_detach(&a);
    rig_detach(&b);
    rig_fini(&rig);
}

static void pattern(uint8_t *p, uint32_t n, uint64_t off)
{
    for (uint32_t i = 0; i < n; i++)
        p[i] = (uint8_t)((off + i) * 2654435761u >> 13);
}

/* Moves n bytes from one end to the other, reading at most piece bytes per turn; false when they don't arrive whole. */
static bool transfer(struct rig_sock *from, struct rig_sock *to, uint64_t n, uint32_t piece)
{
    uint8_t *buf = malloc(65536), *want = malloc(65536);
    uint64_t sent = 0, got = 0;
    bool ok = true;

    for (unsigned turns = 0; got < n && turns < 200000 && ok; turns++) {
        uint32_t k = (uint32_t)(n - sent < 16384 ? n - sent : 16384);
        pattern(buf, k, sent);
        sent += rig_send(from, buf, k);
        rig_step(&rig);
        k = rig_recv(to, buf, piece);
        pattern(want, k, got);
        ok = memcmp(buf, want, k) == 0;
        got += k;
    }
    free(buf);
    free(want);
    return ok && got == n;
}

JR_TEST(attach_connect_send_recv_close)
{
    char buf[64];

    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    JR_CHECK(rig_state(&c) & JR_ST_CONNECTED);
    JR_CHECK(rig_state(&s) & JR_ST_CONNECTED);
    JR_CHECK_EQ(c.sl->remote.port, 80);
    JR_CHECK_EQ(s.sl->remote.port, c.sl->local.port);
    JR_CHECK_EQ(rig_send(&c, "hello", 5), 5);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recv(&s, buf, sizeof buf), 5);
    JR_CHECK_MEM(buf, "hello", 5);
    JR_CHECK_EQ(rig_send(&s, "world!", 6), 6);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recv(&c, buf, sizeof buf), 6);
    rig_close(&c);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    JR_CHECK(!(rig_state(&s) & JR_ST_DEAD));
    JR_CHECK(s.sl->rx.flags & JR_RING_FIN);
    rig_close(&s);
    rig_close(&l);
    rig_run(&rig, 50 * JR_MS);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.a.ctl), 0);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.b.ctl), 0);
    end();
}

JR_TEST(bulk_grows_the_rings)
{
    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    JR_CHECK(transfer(&c, &s, 20u << 20, 65536));
    JR_CHECK(transfer(&s, &c, 3u << 20, 5000));
    JR_CHECK_EQ(rig_count(&rig.b, JR_C_SHM_RING_BAD), 0);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_SHM_RING_BAD), 0);
    end();
}

JR_TEST(data_sent_before_accept_arrives)
{
    char buf[8];

    start(NULL);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_bind(&l, rig.b.addr, 80, NULL) == 0 &&
               rig_listen(&l, 4, NULL) == 0);
    JR_REQUIRE(rig_socket(&c, &a, SOCK_STREAM));
    JR_CHECK_EQ(rig_connect(&c, rig.b.addr, 80, NULL), -EINPROGRESS);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(rig_send(&c, "early", 5), 5);
    JR_CHECK_EQ(rig_shutdown(&c, SHUT_WR), 0);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(l.sl->accept_ready, 1);
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_accept(&l, &s), 0);
    JR_CHECK_EQ(l.sl->accept_ready, 0);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recv(&s, buf, sizeof buf), 5);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    JR_CHECK(rig_state(&c) & JR_ST_TX_CLOSED);
    end();
}

/* The listener's small SO_RCVBUF comes too late for what the peer was already promised. */
JR_TEST(early_data_fits_a_small_ring)
{
    static uint8_t sent[30000], got[sizeof sent];

    for (uint32_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7 + (i >> 8));
    start(NULL);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_bind(&l, rig.b.addr, 80, NULL) == 0 &&
               rig_listen(&l, 4, NULL) == 0);
    JR_REQUIRE(rig_socket(&c, &a, SOCK_STREAM));
    JR_CHECK_EQ(rig_connect(&c, rig.b.addr, 80, NULL), -EINPROGRESS);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(rig_send(&c, sent, sizeof sent), sizeof sent);
    rig_run(&rig, 50 * JR_MS);
    JR_CHECK_EQ(rig_setopt(&l, SOL_SOCKET, SO_RCVBUF, 4096), 0);
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_accept(&l, &s), 0);
    rig_run(&rig, 50 * JR_MS);
    JR_CHECK_EQ(rig_recv(&s, got, sizeof got), sizeof got);
    JR_CHECK(memcmp(sent, got, sizeof sent) == 0);
    end();
}

JR_TEST(a_small_ring_promises_little)
{
    static uint8_t sent[30000];

    start(NULL);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_setopt(&l, SOL_SOCKET, SO_RCVBUF, 4096) == 0 &&
               rig_bind(&l, rig.b.addr, 80, NULL) == 0 && rig_listen(&l, 4, NULL) == 0);
    JR_REQUIRE(rig_socket(&c, &a, SOCK_STREAM));
    JR_CHECK_EQ(rig_connect(&c, rig.b.addr, 80, NULL), -EINPROGRESS);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(rig_send(&c, sent, sizeof sent), sizeof sent);
    rig_run(&rig, 50 * JR_MS);
    JR_CHECK(c.sl->tx.head > 0 && c.sl->tx.head <= 4096);
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_accept(&l, &s), 0);
    end();
}

JR_TEST(data_written_before_close_is_delivered)
{
    uint8_t buf[4096], want[4096];

    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    pattern(want, sizeof want, 0);
    JR_CHECK_EQ(rig_send(&c, want, sizeof want), sizeof want);
    rig_close(&c);
    rig_run(&rig, 20 * JR_MS);
    JR_CHECK_EQ(rig_recv(&s, buf, sizeof buf), sizeof buf);
    JR_CHECK_MEM(buf, want, sizeof buf);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    end();
}

JR_TEST(the_last_data_and_the_fin_share_a_packet)
{
    char buf[8];

    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    rig_run(&rig, 5 * JR_MS);
    const uint64_t before = rig_count(&rig.a, JR_C_TCP_TX);
    rig_send(&c, "bye", 3);
    rig_close(&c);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_TCP_TX), before + 1);
    JR_CHECK_EQ(rig_recv(&s, buf, sizeof buf), 3);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    end();
}

JR_TEST(what_was_written_goes_out_before_a_reset)
{
    char buf[8];

    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    rig_send(&c, "unread", 6);
    rig_run(&rig, 5 * JR_MS);
    rig_send(&s, "no", 2);
    rig_close(&s);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recv(&c, buf, sizeof buf), 2);
    JR_CHECK_EQ(rig_error(&c), ECONNRESET);
    end();
}

JR_TEST(programs_are_told_of_a_crowd)
{
    start(spin_a_little);
    JR_CHECK_EQ(a.policy->spin_us, 9);
    jr_ctl_set_crowded(rig.a.ctl, true);
    JR_CHECK(a.policy->crowded == 1 && a.policy->spin_us == 0);
    jr_ctl_set_crowded(rig.a.ctl, false);
    JR_CHECK(a.policy->crowded == 0 && a.policy->spin_us == 9);
    end();
}

JR_TEST(unread_data_resets)
{
    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    rig_send(&c, "unread", 6);
    rig_run(&rig, 5 * JR_MS);
    rig_close(&s);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK(rig_state(&c) & JR_ST_DEAD);
    JR_CHECK_EQ(rig_error(&c), ECONNRESET);
    end();
}

JR_TEST(linger_zero_resets)
{
    struct jr_abi_cmd_setsockopt_req req = {.level = SOL_SOCKET, .name = SO_LINGER, .len = sizeof(struct linger)};
    const struct linger lin = {.l_onoff = 1};

    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    memcpy(req.val, &lin, sizeof lin);
    JR_CHECK_EQ(rig_command(&c, JR_CMD_SETSOCKOPT, &req, sizeof req, NULL, 0), 0);
    rig_close(&c);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_error(&s), ECONNRESET);
    end();
}

JR_TEST(refused_and_tried_again)
{
    start(NULL);
    JR_REQUIRE(rig_socket(&c, &a, SOCK_STREAM));
    JR_CHECK_EQ(rig_setopt(&c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    JR_CHECK_EQ(rig_connect(&c, rig.b.addr, 81, NULL), -EINPROGRESS);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(rig_error(&c), ECONNREFUSED);
    JR_CHECK(!(rig_state(&c) & JR_ST_CONNECTING));
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_bind(&l, rig.b.addr, 81, NULL) == 0 &&
               rig_listen(&l, 4, NULL) == 0);
    JR_CHECK_EQ(rig_connect(&c, rig.b.addr, 81, NULL), -EINPROGRESS);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK(rig_state(&c) & JR_ST_CONNECTED);
    int v = 0;
    JR_CHECK_EQ(rig_getopt(&c, IPPROTO_TCP, TCP_NODELAY, &v), 0);
    JR_CHECK_EQ(v, 1);
    end();
}

JR_TEST(bind_says_what_linux_says)
{
    struct rig_sock d;
    uint32_t route;

    start(NULL);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_socket(&d, &b, SOCK_STREAM) && rig_socket(&c, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_bind(&l, rig.b.addr, 8080, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_SERVICE);
    JR_CHECK_EQ(rig_bind(&l, rig.b.addr, 8081, NULL), -EINVAL);
    JR_CHECK_EQ(rig_bind(&d, rig.b.addr, 8080, NULL), -EADDRINUSE);
    JR_CHECK_EQ(rig_bind(&c, jr_addr_v4(htonl(0x7f000001)), 8080, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_KERNEL);
    JR_CHECK_EQ(rig_bind(&d, jr_addr_v4(0), 0, NULL), 0);
    JR_CHECK(d.sl->local.port >= 40000 && d.sl->local.port <= 49999);
    JR_CHECK_EQ(rig_listen(&l, 5, NULL), 0);
    JR_CHECK(b.policy->tcp_listen[8080 / 64] >> (8080 % 64) & 1);
    JR_CHECK_EQ(rig.b.hook_adds, 2);
    rig_close(&l);
    JR_CHECK(!(b.policy->tcp_listen[8080 / 64] >> (8080 % 64) & 1));
    JR_CHECK_EQ(rig.b.hook_dels, 0); /* its connections may be in TIME_WAIT */
    rig.now += 65 * JR_SEC;
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(rig.b.hook_dels, 1);
    end();
}

JR_TEST(port_is_free_again_after_close)
{
    start(NULL);
    for (int i = 0; i < 20; i++) {
        JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM));
        JR_CHECK_EQ(rig_bind(&l, rig.b.addr, 8080, NULL), 0);
        JR_CHECK_EQ(rig_listen(&l, 5, NULL), 0);
        close(l.fd); /* no mark: as if killed */
    }
    end();
}

JR_TEST(blocked_writer_is_woken)
{
    uint8_t *buf = calloc(1, 1 << 20);

    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    for (int i = 0; i < 200; i++) {
        rig_send(&c, buf, 1 << 20);
        rig_run(&rig, JR_MS);
    }
    JR_CHECK_EQ(rig_send(&c, buf, 1), 0);
    __atomic_fetch_add(&c.sl->tx.space_wait, 1, __ATOMIC_SEQ_CST);
    const uint32_t seq = c.sl->tx.space_seq;
    while (rig_recv(&s, buf, 1 << 20))
        rig_run(&rig, JR_MS);
    JR_CHECK_EQ(c.sl->tx.space_seq, seq + 1);
    JR_CHECK_EQ(c.sl->tx.space_woken, c.sl->tx.space_wait);
    JR_CHECK(rig_send(&c, buf, 1) == 1);
    free(buf);
    end();
}

static uint64_t seg_bytes(struct rig_app *app)
{
    struct stat st;

    return fstat(app->seg_fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

JR_TEST(an_idle_connection_gives_its_memory_back)
{
    start(NULL);
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    JR_CHECK(transfer(&c, &s, 1u << 20, 65536));
    JR_CHECK(seg_bytes(&a) > 100000 && seg_bytes(&b) > 50000);
    c.sl->tx_lock = 77; /* a program is just writing */
    rig_run(&rig, 3 * JR_SEC);
    JR_CHECK(seg_bytes(&a) > 100000);
    c.sl->tx_lock = 0;
    rig_run(&rig, 3 * JR_SEC);
    JR_CHECK(seg_bytes(&a) <= 32768);
    JR_CHECK(seg_bytes(&b) <= 32768);
    JR_CHECK_EQ(c.sl->tx_lock, 0);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_SOCK_RINGS_PUNCHED), 1);
    JR_CHECK_EQ(jr_ctl_next_event(rig.a.ctl), JR_TIME_NEVER);
    /* and the stream goes on where it was */
    uint8_t out[5000], in[5000];
    pattern(out, sizeof out, 5);
    JR_CHECK_EQ(rig_send(&c, out, sizeof out), sizeof out);
    rig_run(&rig, 10 * JR_MS);
    JR_CHECK_EQ(rig_recv(&s, in, sizeof in), sizeof in);
    JR_CHECK_MEM(in, out, sizeof in);
    end();
}

static void share_ports(struct jr_ctl_config *cfg) { cfg->shared_ports = true; }

JR_TEST(shared_ports_are_agreed_with_the_kernel)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof sin;
    const int k = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), k2 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint32_t route;

    start(share_ports);
    JR_CHECK(bind(k, (struct sockaddr *)&sin, sizeof sin) == 0 && listen(k, 1) == 0);
    JR_CHECK_EQ(getsockname(k, (struct sockaddr *)&sin, &len), 0);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_bind(&l, jr_addr_v4(0), ntohs(sin.sin_port), NULL), -EADDRINUSE);
    JR_CHECK_EQ(rig_count(&rig.b, JR_C_SOCK_PORT_TAKEN), 1);
    close(k);
    JR_CHECK_EQ(rig_bind(&l, jr_addr_v4(0), ntohs(sin.sin_port), &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_BOTH);
    JR_CHECK_EQ(bind(k2, (struct sockaddr *)&sin, sizeof sin), -1); /* ours until listen() */
    JR_CHECK_EQ(rig_listen(&l, 5, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_BOTH);
    JR_CHECK_EQ(bind(k2, (struct sockaddr *)&sin, sizeof sin), 0); /* the shadow's */
    close(k2);
    end();
}

JR_TEST(shutdown_ends_a_listener)
{
    start(NULL);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_bind(&l, rig.b.addr, 80, NULL) == 0 &&
               rig_listen(&l, 4, NULL) == 0);
    JR_CHECK_EQ(rig_shutdown(&l, SHUT_RDWR), 0);
    JR_CHECK(!(rig_state(&l) & JR_ST_LISTENING));
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_accept(&l, &s), -EINVAL);
    end();
}

JR_TEST(accept_needs_the_key)
{
    start(NULL);
    JR_REQUIRE(rig_socket(&l, &b, SOCK_STREAM) && rig_bind(&l, rig.b.addr, 80, NULL) == 0 &&
               rig_listen(&l, 4, NULL) == 0);
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    b.hdr->key[1] ^= 1; /* what the program names, not what the service knows */
    JR_CHECK_EQ(rig_accept(&l, &s), -EBADF);
    JR_CHECK_EQ(rig_count(&rig.b, JR_C_SOCK_KEY_BAD), 1);
    b.hdr->key[1] ^= 1;
    JR_CHECK_EQ(rig_accept(&l, &s), -EAGAIN);
    end();
}

JR_TEST(options_as_linux)
{
    int v = 0;

    start(NULL);
    JR_REQUIRE(rig_socket(&c, &a, SOCK_STREAM));
    JR_CHECK_EQ(rig_setopt(&c, SOL_SOCKET, SO_SNDBUF, 20000), 0);
    JR_CHECK_EQ(rig_getopt(&c, SOL_SOCKET, SO_SNDBUF, &v), 0);
    JR_CHECK_EQ(v, 40000);
    JR_CHECK_EQ(rig_setopt(&c, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    JR_CHECK_EQ(rig_getopt(&c, SOL_SOCKET, SO_KEEPALIVE, &v), 0);
    JR_CHECK_EQ(v, 1);
    JR_CHECK_EQ(rig_getopt(&c, SOL_SOCKET, SO_TYPE, &v), 0);
    JR_CHECK_EQ(v, SOCK_STREAM);
    JR_CHECK_EQ(rig_setopt(&c, IPPROTO_IP, IP_TTL, 0), -EINVAL);
    JR_CHECK_EQ(rig_setopt(&c, IPPROTO_IP, IP_TTL, 9), 0);
    JR_CHECK_EQ(rig_getopt(&c, IPPROTO_IP, IP_TTL, &v), 0);
    JR_CHECK_EQ(v, 9);
    JR_CHECK_EQ(rig_setopt(&c, SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
    end();
}

JR_TEST_MAIN
