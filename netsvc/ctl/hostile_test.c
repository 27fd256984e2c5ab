/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that writes garbage over all of its segment while traffic runs: the service must neither fall nor let
 * anybody else notice. Worth most under ASan and UBSan.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/rig_test.h"

static struct rig rig;
static struct rig_app good_a, good_b, evil_a, evil_b;
static struct rig_sock c, l, s; /* the honest connection */
static uint64_t sent, received;

static void start(void)
{
    rig_init(&rig, NULL);
    JR_CHECK(rig_attach(&good_a, &rig.a) && rig_attach(&good_b, &rig.b));
    JR_CHECK(rig_attach(&evil_a, &rig.a) && rig_attach(&evil_b, &rig.b));
    JR_CHECK(rig_pair_up(&good_a, &good_b, 80, &c, &l, &s));
    sent = received = 0;
}

static void end(void)
{
    rig_detach(&evil_a);
    rig_detach(&evil_b);
    rig_detach(&good_a);
    rig_detach(&good_b);
    rig_fini(&rig);
}

/* A bit of honest traffic; false when a byte is wrong. */
static bool honest_turn(void)
{
    uint8_t buf[4096];
    uint32_t n;

    for (uint32_t i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t)((sent + i) * 7);
    sent += rig_send(&c, buf, sizeof buf);
    rig_step(&rig);
    n = rig_recv(&s, buf, sizeof buf);
    for (uint32_t i = 0; i < n; i++)
        if (buf[i] != (uint8_t)(received++ * 7))
            return false;
    return true;
}

static bool honest_survives(void)
{
    const uint64_t before = received;

    for (int i = 0; i < 400; i++)
        if (!honest_turn())
            return false;
    return received > before + 100000 && !(rig_state(&c) & JR_ST_DEAD) && !(rig_state(&s) & JR_ST_DEAD);
}

static void scribble(struct jr_rng *rng, struct rig_app *app, unsigned words)
{
    for (unsigned i = 0; i < words; i++) {
        const uint32_t at = jr_rng_below(rng, (JR_SEG_SLOT_OFF + 64 * 512) / 8) * 8;
        uint64_t v = jr_rng_u64(rng);
        switch (jr_rng_below(rng, 4)) { /* plausible values find more than noise does */
        case 0:
            v = jr_rng_below(rng, 70000);
            break;
        case 1:
            v = 1ull << jr_rng_below(rng, 40);
            break;
        case 2:
            v = *(uint64_t *)(app->base + at) + jr_rng_below(rng, 9) - 4;
            break;
        }
        memcpy(app->base + at, &v, sizeof v);
    }
}

/* All that a program might post about its slots, whatever stands in them. */
static void mark_everything(struct rig_app *app)
{
    for (int i = 0; i < 4; i++)
        app->app->dirty[i] = ~0ull;
    app->app->posted = ~0ull;
    app->app->closed++;
}

JR_TEST(garbage_everywhere)
{
    struct rig_sock x[24], y[24];
    struct jr_rng rng;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        start();
        jr_rng_init(&rng, seed);
        for (int i = 0; i < 24; i++) {
            JR_REQUIRE(rig_socket(&x[i], &evil_a, i % 3 ? SOCK_STREAM : SOCK_DGRAM));
            JR_REQUIRE(rig_socket(&y[i], &evil_b, i % 3 ? SOCK_STREAM : SOCK_DGRAM));
            if (i % 3 == 0) {
                rig_bind(&y[i], rig.b.addr, (uint16_t)(6000 + i), NULL);
            } else if (i % 3 == 1) {
                rig_bind(&y[i], rig.b.addr, (uint16_t)(6000 + i), NULL);
                rig_listen(&y[i], 5, NULL);
                rig_connect(&x[i], rig.b.addr, (uint16_t)(6000 + i), NULL);
            }
        }
        for (int turn = 0; turn < 300; turn++) {
            scribble(&rng, &evil_a, 60);
            scribble(&rng, &evil_b, 60);
            mark_everything(&evil_a);
            mark_everything(&evil_b);
            JR_REQUIRE(honest_turn());
        }
        JR_CHECK(honest_survives());
        JR_CHECK(rig_count(&rig.a, JR_C_SHM_RING_BAD) + rig_count(&rig.a, JR_C_SHM_DGRAM_BAD) > 0);
        JR_CHECK(rig_count(&rig.a, JR_C_SHM_CELL_BAD) > 0);
        for (int i = 0; i < 24; i++) {
            close(x[i].fd);
            close(y[i].fd);
        }
        JR_CHECK(honest_survives());
        end();
    }
}

/* Commands of the right shape with random contents, on random slots. */
JR_TEST(random_commands)
{
    static const uint32_t len[JR_CMD__COUNT] = {[JR_CMD_BIND] = sizeof(struct jr_abi_cmd_bind_req),
                                                [JR_CMD_LISTEN] = sizeof(struct jr_abi_cmd_listen_req),
                                                [JR_CMD_CONNECT] = sizeof(struct jr_abi_cmd_connect_req),
                                                [JR_CMD_ACCEPT] = sizeof(struct jr_abi_cmd_accept_req),
                                                [JR_CMD_SHUTDOWN] = sizeof(struct jr_abi_cmd_shutdown_req),
                                                [JR_CMD_SETSOCKOPT] = sizeof(struct jr_abi_cmd_setsockopt_req),
                                                [JR_CMD_GETSOCKOPT] = sizeof(struct jr_abi_cmd_getsockopt_req)};
    struct rig_sock x[16];
    struct jr_rng rng;

    start();
    jr_rng_init(&rng, 99);
    for (int i = 0; i < 16; i++)
        JR_REQUIRE(rig_socket(&x[i], &evil_a, i % 2 ? SOCK_STREAM : SOCK_DGRAM));
    for (int n = 0; n < 6000; n++) {
        uint8_t req[JR_CELL_PAYLOAD];
        const uint32_t op = 1 + jr_rng_below(&rng, JR_CMD__COUNT - 1);
        struct jr_abi_addr *addr = (struct jr_abi_addr *)req;
        for (uint32_t i = 0; i < sizeof req; i++)
            req[i] = (uint8_t)(jr_rng_below(&rng, 3) ? jr_rng_below(&rng, 4) : jr_rng_u32(&rng));
        if (op == JR_CMD_BIND || op == JR_CMD_CONNECT) {
            memcpy(addr->addr, (op == JR_CMD_BIND ? rig.a.addr : rig.b.addr).b, 16);
            addr->family = jr_rng_below(&rng, 8) ? AF_INET : (uint16_t)jr_rng_below(&rng, 12);
            addr->port = (uint16_t)(op == JR_CMD_BIND ? jr_rng_below(&rng, 100) : 80);
        }
        if (op == JR_CMD_ACCEPT)
            memcpy(req, (uint32_t[2]){evil_a.seg_id, jr_rng_below(&rng, 20)}, 8), memcpy(req + 8, evil_a.hdr->key, 16);
        rig_command(&x[jr_rng_below(&rng, 16)], op, req, len[op], NULL, 0);
        if (n % 7 == 0)
            JR_REQUIRE(honest_turn());
        if (n % 50 == 0) {
            const int i = (int)jr_rng_below(&rng, 16);
            close(x[i].fd);
            rig_run(&rig, 2 * JR_MS);
            JR_REQUIRE(rig_socket(&x[i], &evil_a, i % 2 ? SOCK_STREAM : SOCK_DGRAM));
        }
    }
    JR_CHECK(honest_survives());
    for (int i = 0; i < 16; i++)
        close(x[i].fd);
    end();
}

/* A ring offset that lies kills that socket and is heard of by its peer; the same program's other socket lives. */
JR_TEST(a_lie_costs_one_socket)
{
    struct rig_sock x, xl, xs, y, yl, ys;
    char buf[8];

    start();
    JR_REQUIRE(rig_pair_up(&evil_a, &evil_b, 90, &x, &xl, &xs) && rig_pair_up(&evil_a, &evil_b, 91, &y, &yl, &ys));
    x.sl->tx.tail = 1ull << 40;
    rig_mark(&x);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_error(&x), ECONNABORTED);
    JR_CHECK_EQ(rig_error(&xs), ECONNRESET);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_SHM_RING_BAD), 1);
    rig_send(&y, "fine", 4);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_recv(&ys, buf, sizeof buf), 4);
    JR_CHECK(honest_survives());
    end();
}

JR_TEST_MAIN
