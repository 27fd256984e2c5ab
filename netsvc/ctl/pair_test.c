/* SPDX-License-Identifier: BSD-3-Clause */
/* Local pairs: two programs of one host, at the level of slots and regions. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl/rig_test.h"

static struct rig rig;
static struct rig_app a, b;
static struct rig_sock c, l, s;

static const struct jr_addr *loopback(void)
{
    static struct jr_addr lo;

    lo = jr_addr_v4(htonl(INADDR_LOOPBACK));
    return &lo;
}

static void start(uint32_t backlog)
{
    rig_init(&rig, NULL);
    JR_CHECK(rig_attach(&a, &rig.a));
    JR_CHECK(rig_attach(&b, &rig.a));
    JR_CHECK(rig_socket(&l, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_bind(&l, jr_addr_v4(0), 80, NULL), 0);
    JR_CHECK_EQ(rig_listen(&l, backlog, NULL), 0);
    JR_CHECK(rig_socket(&c, &a, SOCK_STREAM));
}

static void end(void)
{
    rig_detach(&a);
    rig_detach(&b);
    rig_fini(&rig);
}

static struct jr_abi_pair *region(struct rig_sock *x, uint32_t *end_no)
{
    struct jr_abi_ctl_pair_req req = {.seg_id = x->app->seg_id, .slot = x->slot};
    struct jr_abi_ctl_pair_rep rep;
    unsigned n = 1;
    int fd;

    if (!JR_CHECK_EQ(
            rig_request(x->app->host, x->app->fd, JR_CTL_PAIR, &req, sizeof req, -1, &rep, sizeof rep, &fd, &n), 0))
        return NULL;
    JR_CHECK_EQ(rep.pair_id, x->sl->pair_id);
    *end_no = rep.end;
    void *p = mmap(NULL, JR_PAIR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    return p;
}

static void put(struct jr_abi_pair *p, uint32_t end_no, const char *text)
{
    uint8_t *ring = (uint8_t *)p + JR_PAIR_RING_OFF + end_no * JR_RING_MAX;
    struct jr_abi_ring *r = &p->ring[end_no];

    memcpy(ring + (r->tail & (r->cap - 1)), text, strlen(text));
    __atomic_store_n(&r->tail, r->tail + strlen(text), __ATOMIC_RELEASE);
}

static bool get(struct jr_abi_pair *p, uint32_t end_no, const char *text)
{
    const uint8_t *ring = (uint8_t *)p + JR_PAIR_RING_OFF + (1 - end_no) * JR_RING_MAX;
    struct jr_abi_ring *r = &p->ring[1 - end_no];
    const bool ok = r->tail - r->head == strlen(text) &&
                    memcmp(ring + (r->head & (r->cap - 1)), text, strlen(text)) == 0;

    r->head = r->tail;
    return ok;
}

static bool make(struct jr_abi_pair **cp, struct jr_abi_pair **sp)
{
    uint32_t ce, se, route;

    JR_CHECK_EQ(rig_connect(&c, *loopback(), 80, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_LOCAL);
    JR_CHECK(rig_state(&c) & JR_ST_PAIR && rig_state(&c) & JR_ST_CONNECTED);
    JR_CHECK_EQ(l.sl->accept_ready, 1);
    if (!JR_CHECK(rig_socket(&s, &b, SOCK_STREAM)) || !JR_CHECK_EQ(rig_accept(&l, &s), 0))
        return false;
    JR_CHECK_EQ(s.sl->remote.port, c.sl->local.port);
    JR_CHECK_EQ(s.sl->local.port, 80);
    *cp = region(&c, &ce);
    *sp = region(&s, &se);
    return *cp && *sp && JR_CHECK_EQ(ce, 0) && JR_CHECK_EQ(se, 1);
}

static void unmake(struct jr_abi_pair *cp, struct jr_abi_pair *sp)
{
    munmap(cp, JR_PAIR_SIZE);
    munmap(sp, JR_PAIR_SIZE);
}

JR_TEST(bytes_pass_without_the_service)
{
    struct jr_abi_pair *cp, *sp;

    start(5);
    JR_REQUIRE(make(&cp, &sp));
    put(cp, 0, "hello");
    JR_CHECK(get(sp, 1, "hello"));
    put(sp, 1, "back");
    JR_CHECK(get(cp, 0, "back"));
    unmake(cp, sp);
    end();
}

JR_TEST(both_ends_have_options)
{
    struct jr_abi_pair *cp, *sp;
    int v = 0;

    start(5);
    JR_REQUIRE(make(&cp, &sp));
    JR_CHECK_EQ(rig_setopt(&s, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    JR_CHECK_EQ(rig_getopt(&s, IPPROTO_TCP, TCP_NODELAY, &v), 0);
    JR_CHECK_EQ(v, 1);
    JR_CHECK_EQ(rig_setopt(&c, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    JR_CHECK_EQ(rig_setopt(&s, IPPROTO_TCP, 9999, 1), -ENOPROTOOPT);
    unmake(cp, sp);
    end();
}

JR_TEST(close_is_fin_and_unread_data_is_reset)
{
    struct jr_abi_pair *cp, *sp;

    start(5);
    JR_REQUIRE(make(&cp, &sp));
    put(cp, 0, "last words");
    const uint32_t seq = sp->ring[0].data_seq;
    rig_close(&c);
    JR_CHECK_EQ(sp->ring[0].flags, JR_RING_FIN);
    JR_CHECK(sp->ring[1].cflags & JR_RING_FIN); /* nobody reads any more */
    JR_CHECK_EQ(sp->ring[0].data_seq, seq + 1);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    JR_CHECK(!(rig_state(&s) & JR_ST_DEAD));
    JR_CHECK(get(sp, 1, "last words"));
    unmake(cp, sp);
    rig_close(&s);
    JR_REQUIRE(rig_socket(&c, &a, SOCK_STREAM) && make(&cp, &sp));
    put(sp, 1, "never read");
    rig_close(&c);
    JR_CHECK(sp->ring[0].flags & JR_RING_RST);
    JR_CHECK_EQ(rig_error(&s), ECONNRESET);
    unmake(cp, sp);
    end();
}

JR_TEST(shutdown_half)
{
    struct jr_abi_pair *cp, *sp;

    start(5);
    JR_REQUIRE(make(&cp, &sp));
    JR_CHECK_EQ(rig_shutdown(&c, SHUT_WR), 0);
    JR_CHECK(rig_state(&c) & JR_ST_TX_CLOSED);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    put(sp, 1, "still works");
    JR_CHECK(get(cp, 0, "still works"));
    unmake(cp, sp);
    end();
}

JR_TEST(backlog_refusal_and_listener_gone)
{
    struct rig_sock more[4];
    uint32_t route;

    start(1); /* Linux: one more than it says */
    JR_CHECK_EQ(rig_connect(&c, *loopback(), 80, NULL), 0);
    for (int i = 0; i < 3; i++) {
        JR_REQUIRE(rig_socket(&more[i], &a, SOCK_STREAM));
        JR_CHECK_EQ(rig_connect(&more[i], *loopback(), 80, NULL), i == 0 ? 0 : -EINPROGRESS);
    }
    JR_CHECK(rig_state(&more[1]) & JR_ST_CONNECTING);
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_accept(&l, &s), 0);
    rig_step(&rig);
    JR_CHECK(rig_state(&more[1]) & JR_ST_CONNECTED);
    JR_CHECK_EQ(l.sl->accept_ready, 2);
    rig.now += 80 * JR_SEC;
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(rig_error(&more[2]), ETIMEDOUT);
    rig_close(&l);
    JR_CHECK_EQ(rig_error(&more[0]), ECONNRESET);
    JR_CHECK_EQ(rig_error(&more[1]), ECONNRESET);
    JR_CHECK(!(rig_state(&c) & JR_ST_DEAD)); /* accepted */
    JR_REQUIRE(rig_socket(&more[3], &a, SOCK_STREAM));
    JR_CHECK_EQ(rig_connect(&more[3], *loopback(), 80, &route), 0);
    JR_CHECK_EQ(route, JR_ROUTE_KERNEL); /* which refuses it */
    end();
}

JR_TEST(connector_closes_before_accept)
{
    start(5);
    JR_CHECK_EQ(rig_connect(&c, *loopback(), 80, NULL), 0);
    rig_close(&c);
    JR_REQUIRE(rig_socket(&s, &b, SOCK_STREAM));
    JR_CHECK_EQ(rig_accept(&l, &s), 0);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    rig_close(&s);
    end();
}

JR_TEST(watchers_of_the_other_end_are_posted)
{
    struct jr_abi_ctl_eq_register_req req = {.seg_id = 0, .eq = 9};
    struct jr_abi_ctl_eq_register_rep rep;
    struct jr_abi_pair *cp, *sp;
    const int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t v = 0;

    start(5);
    JR_REQUIRE(make(&cp, &sp));
    struct jr_abi_eq *eq = (struct jr_abi_eq *)(b.base + JR_SEG_EQ_OFF) + 9;
    req.seg_id = b.seg_id;
    JR_CHECK_EQ(rig_request(&rig.a, b.fd, JR_CTL_EQ_REGISTER, &req, sizeof req, fd, &rep, sizeof rep, NULL, NULL), 0);
    s.sl->watch = 1ull << 9;
    eq->sleep_gen++;
    rig_run(&rig, JR_MS);
    JR_CHECK_EQ(eq->posted[s.slot >> 6], 0);
    put(cp, 0, "data");
    rig_mark(&c);
    rig_run(&rig, JR_MS);
    JR_CHECK_EQ(eq->posted[s.slot >> 6], 1ull << (s.slot & 63));
    JR_CHECK_EQ(read(fd, &v, sizeof v), 8);
    close(fd);
    unmake(cp, sp);
    end();
}

JR_TEST(the_end_of_the_service_shows_in_the_region)
{
    struct jr_abi_pair *cp, *sp;

    start(5);
    JR_REQUIRE(make(&cp, &sp));
    const uint32_t owner = cp->owner;
    end();
    JR_CHECK(cp->owner != owner);
    unmake(cp, sp);
}

JR_TEST_MAIN
