/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket and the handles: strangers, garbage, quotas, and every way in which a handle can end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/priv.h"
#include "ctl/rig_test.h"

static struct rig rig;
static struct rig_app a;
static struct rig_sock s;

static void start(void (*tweak)(struct jr_ctl_config *))
{
    rig_init(&rig, tweak);
    JR_CHECK(rig_attach(&a, &rig.a));
}

static void end(void)
{
    rig_detach(&a);
    rig_fini(&rig);
}

static bool is_dropped(int fd)
{
    char c;

    rig_run(&rig, 2 * JR_MS);
    for (;;) { /* replies may wait in front of the end */
        const ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
        if (n <= 0)
            return n == 0 || errno == ECONNRESET;
    }
}

JR_TEST(a_peer_without_a_pid_has_no_capabilities)
{
    start(NULL);
    struct jr_peer *known = jr_peer_new(rig.a.ctl, getpid(), 1000, 1000);
    struct jr_peer *unseen = jr_peer_new(rig.a.ctl, 0, 1000, 1000); /* of a PID namespace beside ours */
    JR_CHECK(known->comm[0]);
    JR_CHECK(!unseen->net_bind);
    JR_CHECK_EQ(unseen->comm[0], 0);
    JR_CHECK_EQ(unseen->exe[0], 0);
    jr_peer_put(known);
    jr_peer_put(unseen);
    end();
}

JR_TEST(another_layout_is_told_and_sent_away)
{
    const struct jr_abi_ctl_hello_req req = {.version = JR_ABI_VERSION, .checksum = JR_ABI_CHECKSUM ^ 1};
    struct jr_abi_ctl_hello_rep rep = {0};

    start(NULL);
    const int fd = rig_connect_raw(&rig.a);
    JR_CHECK_EQ(rig_request(&rig.a, fd, JR_CTL_HELLO, &req, sizeof req, -1, &rep, sizeof rep, NULL, NULL), -EPROTO);
    JR_CHECK_EQ(rep.checksum, JR_ABI_CHECKSUM);
    JR_CHECK(is_dropped(fd));
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_REFUSED_VERSION), 1);
    close(fd);
    end();
}

JR_TEST(garbage_costs_the_sender_its_connection)
{
    struct jr_rng rng;
    uint8_t buf[600];

    start(NULL);
    jr_rng_init(&rng, 3);
    for (int i = 0; i < 300; i++) {
        const int fd = rig_connect_raw(&rig.a);
        const uint32_t len = jr_rng_below(&rng, sizeof buf);
        for (uint32_t k = 0; k < len; k++)
            buf[k] = (uint8_t)jr_rng_u32(&rng);
        struct jr_abi_ctl_hdr h = {.magic = JR_ABI_MAGIC, .op = jr_rng_below(&rng, 9), .len = len - (uint32_t)sizeof h};
        if (i % 2 && len > sizeof h)
            memcpy(buf, &h, sizeof h);
        send(fd, buf, len, MSG_NOSIGNAL);
        JR_CHECK(is_dropped(fd));
        close(fd);
    }
    JR_CHECK_EQ(jr_ctl_client_count(rig.a.ctl), 1);
    JR_CHECK(rig_socket(&s, &a, SOCK_STREAM)); /* the honest one does not notice */
    end();
}

JR_TEST(who_never_reads_is_dropped)
{
    const struct jr_abi_ctl_hello_req hello = {.version = JR_ABI_VERSION, .checksum = JR_ABI_CHECKSUM};
    struct {
        struct jr_abi_ctl_hdr h;
        struct jr_abi_ctl_seg_new_req req;
    } msg = {.h = {.magic = JR_ABI_MAGIC, .op = JR_CTL_SEG_NEW, .len = sizeof msg.req}};

    start(NULL);
    const int fd = rig_connect_raw(&rig.a);
    JR_CHECK_EQ(rig_request(&rig.a, fd, JR_CTL_HELLO, &hello, sizeof hello, -1, NULL, 0, NULL, NULL), 0);
    for (int i = 0; i < 5000 && jr_ctl_client_count(rig.a.ctl) == 2; i++) {
        send(fd, &msg, sizeof msg, MSG_DONTWAIT | MSG_NOSIGNAL);
        rig_step(&rig);
    }
    JR_CHECK_EQ(jr_ctl_client_count(rig.a.ctl), 1);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_SLOW_READER), 1);
    close(fd);
    end();
}

static void small_quotas(struct jr_ctl_config *cfg)
{
    cfg->max_sockets_per_user = 3;
    cfg->max_segments_per_user = 1;
    cfg->max_clients_per_user = 2;
}

/* Quotas bind users, not root: a child becomes one. The rig is the parent's, so the parent runs it. */
JR_TEST(quotas_hold)
{
    int status = 0, p[2];

    rig_init(&rig, small_quotas);
    JR_CHECK_EQ(chmod(rig.a.dir, 0755), 0);
    JR_REQUIRE(pipe(p) == 0);
    if (geteuid() != 0) {
        rig_fini(&rig);
        return;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(1);
        int fds[4];
        for (int i = 0; i < 4; i++)
            fds[i] = rig_connect_raw(&rig.a);
        (void)!write(p[1], fds, 1);
        pause();
    }
    (void)!read(p[0], &status, 1);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(jr_ctl_client_count(rig.a.ctl), 2);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_REFUSED_QUOTA), 2);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(jr_ctl_client_count(rig.a.ctl), 0);
    close(p[0]);
    close(p[1]);
    rig_fini(&rig);
}

JR_TEST(another_network_namespace_is_refused)
{
    int status;

    rig_init(&rig, NULL);
    if (geteuid() == 0) {
        const pid_t pid = fork();
        if (pid == 0) {
            if (unshare(CLONE_NEWNET) < 0)
                _exit(0);
            _exit(rig_connect_raw(&rig.a) < 0);
        }
        waitpid(pid, &status, 0);
        rig_run(&rig, 2 * JR_MS);
        JR_CHECK_EQ(status, 0);
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_REFUSED_NETNS), 1);
    }
    rig_fini(&rig);
}

JR_TEST(an_event_queue_takes_eventfds_only_and_needs_the_key)
{
    struct jr_abi_ctl_eq_register_req req = {.eq = 3};
    struct rig_app other;
    int p[2];

    start(NULL);
    JR_REQUIRE(pipe(p) == 0 && rig_attach(&other, &rig.a));
    const int fd = eventfd(0, 0);
    req.seg_id = a.seg_id;
    JR_CHECK_EQ(rig_request(&rig.a, a.fd, JR_CTL_EQ_REGISTER, &req, sizeof req, p[1], NULL, 0, NULL, NULL), -EINVAL);
    JR_CHECK_EQ(rig_request(&rig.a, a.fd, JR_CTL_EQ_REGISTER, &req, sizeof req, fd, NULL, 0, NULL, NULL), 0);
    JR_CHECK_EQ(rig_request(&rig.a, other.fd, JR_CTL_EQ_REGISTER, &req, sizeof req, fd, NULL, 0, NULL, NULL), -EINVAL);
    memcpy(req.key, a.hdr->key, sizeof req.key); /* as a child of fork, which maps it, can */
    JR_CHECK_EQ(rig_request(&rig.a, other.fd, JR_CTL_EQ_REGISTER, &req, sizeof req, fd, NULL, 0, NULL, NULL), 0);
    req.eq = JR_SEG_EQS;
    JR_CHECK_EQ(rig_request(&rig.a, a.fd, JR_CTL_EQ_REGISTER, &req, sizeof req, fd, NULL, 0, NULL, NULL), -EINVAL);
    close(fd);
    close(p[0]);
    close(p[1]);
    rig_detach(&other);
    end();
}

static bool lives(void)
{
    rig_run(&rig, 3 * JR_MS);
    return (rig_state(&s) & JR_ST_IN_USE) != 0;
}

JR_TEST(the_last_copy_of_a_handle_ends_the_socket)
{
    int sv[2], got;
    char cbuf[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof cbuf};

    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM) && rig_bind(&s, rig.a.addr, 80, NULL) == 0);
    const int copy = dup(s.fd);
    close(s.fd);
    JR_CHECK(lives());
    JR_REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv) == 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &copy, sizeof copy);
    JR_CHECK_EQ(sendmsg(sv[0], &m, 0), 1);
    close(copy);
    JR_CHECK(lives()); /* in flight */
    JR_CHECK_EQ(recvmsg(sv[1], &m, 0), 1);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
    JR_CHECK(lives());
    close(got);
    JR_CHECK(!lives());
    close(sv[0]);
    close(sv[1]);
    end();
}

JR_TEST(a_killed_child_s_copy_counts)
{
    int status;

    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM) && rig_bind(&s, rig.a.addr, 80, NULL) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    close(s.fd);
    JR_CHECK(lives());
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    JR_CHECK(!lives());
    end();
}

JR_TEST(a_handle_nobody_received_ends_its_socket)
{
    struct {
        struct jr_abi_ctl_hdr h;
        struct jr_abi_ctl_handles_req req;
    } msg = {.h = {.magic = JR_ABI_MAGIC, .op = JR_CTL_HANDLES, .len = sizeof msg.req}, .req = {.want = 16}};

    start(NULL);
    msg.req.seg_id = a.seg_id;
    send(a.fd, &msg, sizeof msg, 0);
    rig_run(&rig, JR_MS);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.a.ctl), 16);
    rig_detach(&a); /* with the reply unread */
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.a.ctl), 0);
    rig_fini(&rig);
}

/* The program is gone, its child maps the segment still and posts a command while the last handle's report is under
 * way. */
JR_TEST(a_segment_ends_in_the_middle_of_its_commands)
{
    struct jr_abi_cell *cell;

    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM));
    close(a.fd);
    a.fd = -1;
    rig_run(&rig, JR_MS);
    JR_CHECK_EQ(jr_ctl_client_count(rig.a.ctl), 0);
    cell = (struct jr_abi_cell *)(a.base + JR_SEG_CELL_OFF);
    for (int i = 0; i < 20; i++)
        cell[i] = (struct jr_abi_cell){.op = JR_CMD_BIND, .slot = s.slot, .len = sizeof(struct jr_abi_cmd_bind_req)};
    close(s.fd);
    a.app->dirty[0] = ~0ull;
    a.app->posted = (1u << 20) - 1;
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.a.ctl), 0);
    end();
}

JR_TEST(more_commands_than_a_turn_takes)
{
    struct jr_abi_cell *cell;
    uint32_t done = 0;

    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM));
    cell = (struct jr_abi_cell *)(a.base + JR_SEG_CELL_OFF);
    for (int i = 0; i < 64; i++)
        cell[i] = (struct jr_abi_cell){
            .op = JR_CMD_SHUTDOWN, .slot = s.slot, .len = sizeof(struct jr_abi_cmd_shutdown_req)};
    a.app->posted = ~0ull;
    rig_step(&rig);
    for (int i = 0; i < 64; i++)
        done += cell[i].done;
    JR_CHECK_EQ(done, 8);
    JR_CHECK(!jr_ctl_prepare_sleep(rig.a.ctl));
    jr_ctl_woke(rig.a.ctl);
    rig_run(&rig, JR_MS);
    for (int i = 0; i < 64; i++)
        JR_CHECK(cell[i].done == 1 && cell[i].result == -ENOTCONN);
    end();
}

JR_TEST(more_reports_than_the_queue_holds)
{
    enum { N = 230 };
    static struct rig_sock many[N];
    char path[100];

    start(NULL);
    for (int i = 0; i < N; i++)
        JR_REQUIRE(rig_socket(&many[i], &a, SOCK_STREAM));
    /* Other files in the folder overflow the queue; real reports then get lost. */
    snprintf(path, sizeof path, "%s/handles/noise", rig.a.dir);
    for (int i = 0; i < 2 * 17000; i++) {
        path[strlen(path) - 1] = (char)('a' + i % 2); /* equal neighbours would be merged */
        const int fd = open(path, O_CREAT | O_WRONLY, 0600);
        JR_REQUIRE(fd >= 0);
        close(fd);
    }
    for (int i = 0; i < N; i += 2)
        close(many[i].fd);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK(rig_count(&rig.a, JR_C_CTL_CLOSE_OVERFLOW) > 0);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.a.ctl), N / 2);
    for (int i = 1; i < N; i += 2)
        close(many[i].fd);
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(jr_ctl_socket_count(rig.a.ctl), 0);
    for (char c = 'a'; c <= 'b'; c++) {
        path[strlen(path) - 1] = c;
        unlink(path);
    }
    end();
}

static int adopt(struct rig_app *app, int fd, struct jr_abi_ctl_adopt_rep *rep, int *seg_fd)
{
    const struct jr_abi_ctl_adopt_req req = {0};
    unsigned n = 1;

    *seg_fd = -1;
    return rig_request(app->host, app->fd, JR_CTL_ADOPT, &req, sizeof req, fd, rep, sizeof *rep, seg_fd, &n);
}

JR_TEST(only_real_handles_are_adopted)
{
    struct jr_abi_ctl_adopt_rep rep;
    char path[48];
    int p[2], seg_fd;

    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM) && pipe(p) == 0);
    JR_CHECK_EQ(adopt(&a, p[1], &rep, &seg_fd), -EBADF);
    snprintf(path, sizeof path, "/proc/self/fd/%d", s.fd);
    const int keep = open(path, O_PATH), ro = open(path, O_RDONLY | O_NONBLOCK);
    JR_CHECK_EQ(adopt(&a, keep, &rep, &seg_fd), -EBADF); /* keeps the inode over the close, but is no copy */
    JR_CHECK_EQ(adopt(&a, ro, &rep, &seg_fd), -EBADF);
    JR_CHECK_EQ(adopt(&a, s.fd, &rep, &seg_fd), 0);
    JR_CHECK(rep.slot == s.slot && rep.seg_id == a.seg_id && !rep.new_seg);
    close(p[0]);
    close(p[1]);
    close(keep);
    close(ro);
    end();
}

/* What a program that adopted c sees of it. */
static bool map_adopted(struct rig_app *app, struct rig_sock *m, int seg_fd, uint32_t slot, int fd)
{
    *app = (struct rig_app){.host = &rig.a, .fd = -1};
    if (!JR_CHECK(rig_map(app, seg_fd)))
        return false;
    rig_sock_at(m, app, slot, fd);
    return true;
}

static void received_by(struct rig_sock *x, const char *text)
{
    char buf[64];

    JR_CHECK_EQ(rig_recv(x, buf, sizeof buf), strlen(text));
    JR_CHECK_MEM(buf, text, strlen(text));
}

JR_TEST(an_adopted_socket_moves_with_its_data)
{
    struct rig_app b, stranger, moved, again;
    struct rig_sock c, l, m, m2;
    struct jr_abi_ctl_adopt_rep rep, rep2;
    int seg_fd, seg_fd2;

    start(NULL);
    JR_REQUIRE(rig_attach(&b, &rig.b) && rig_attach(&stranger, &rig.a));
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    rig_send(&s, "received before", 15);
    rig_run(&rig, 5 * JR_MS);
    rig.a.cut = true; /* so that it stays in the ring */
    rig_send(&c, "unacknowledged", 14);
    rig_run(&rig, 5 * JR_MS);
    const uint32_t seq = c.sl->rx.data_seq;
    c.sl->rx.data_wait++;
    JR_CHECK_EQ(adopt(&stranger, c.fd, &rep, &seg_fd), 0);
    JR_REQUIRE(rep.new_seg && seg_fd >= 0 && rep.seg_id != a.seg_id);
    JR_CHECK(rig_state(&c) & JR_ST_MOVED);
    JR_CHECK_EQ(c.sl->rx.data_seq, seq + 1); /* whoever slept there sees it */
    JR_CHECK_EQ(c.sl->tx_lock, 0);
    JR_REQUIRE(map_adopted(&moved, &m, seg_fd, rep.slot, c.fd));
    JR_CHECK(rig_state(&m) & JR_ST_CONNECTED);
    received_by(&m, "received before");
    rig.a.cut = false;
    rig_run(&rig, 2 * JR_SEC); /* resent from the new place */
    received_by(&s, "unacknowledged");
    /* the old holder follows, and both may write */
    JR_CHECK_EQ(adopt(&a, c.fd, &rep2, &seg_fd2), 0);
    JR_CHECK(rep2.seg_id == rep.seg_id && rep2.slot == rep.slot && rep2.new_seg);
    JR_REQUIRE(map_adopted(&again, &m2, seg_fd2, rep2.slot, c.fd));
    rig_send(&m, "after", 5);
    rig_send(&m2, "wards", 5);
    rig_run(&rig, 5 * JR_MS);
    received_by(&s, "afterwards");
    close(c.fd);
    rig_run(&rig, 50 * JR_MS);
    JR_CHECK(rig_state(&s) & JR_ST_RX_EOF);
    rig_close(&s);
    rig_run(&rig, 50 * JR_MS);
    JR_CHECK_EQ(rig_state(&c), 0); /* the signpost is gone as well */
    rig_detach(&moved);
    rig_detach(&again);
    rig_detach(&stranger);
    rig_detach(&b);
    end();
}

/* It was executed with the socket, its child goes on, and who made the socket follows. */
JR_TEST(the_bell_of_who_adopted_outlives_it)
{
    const uint64_t one = 1;
    struct rig_app heir;
    struct jr_abi_ctl_adopt_rep rep;
    int seg_fd[2];

    start(NULL);
    JR_REQUIRE(rig_attach(&heir, &rig.a) && rig_socket(&s, &a, SOCK_STREAM));
    JR_CHECK_EQ(adopt(&heir, s.fd, &rep, &seg_fd[0]), 0);
    JR_CHECK_EQ(adopt(&a, s.fd, &rep, &seg_fd[1]), 0);
    close(heir.fd);
    heir.fd = -1;
    rig_run(&rig, 5 * JR_MS);
    JR_CHECK_EQ(jr_ctl_client_count(rig.a.ctl), 1);
    for (int i = 0; i < 2; i++) {
        const uint64_t rung = rig_count(&rig.a, JR_C_CTL_DOORBELLS);
        JR_CHECK_EQ(write(heir.bell, &one, sizeof one), 8);
        rig_run(&rig, JR_MS);
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_DOORBELLS), rung + (i == 0));
        if (i == 0)
            close(s.fd);
        rig_run(&rig, 50 * JR_MS);
    }
    close(seg_fd[0]);
    close(seg_fd[1]);
    rig_detach(&heir);
    end();
}

JR_TEST(a_held_lock_delays_a_move_but_not_for_ever)
{
    struct rig_app b, stranger;
    struct rig_sock c, l;
    struct jr_abi_ctl_adopt_rep rep;
    int seg_fd;

    start(NULL);
    JR_REQUIRE(rig_attach(&b, &rig.b) && rig_attach(&stranger, &rig.a));
    JR_REQUIRE(rig_pair_up(&a, &b, 80, &c, &l, &s));
    c.sl->tx_lock = 4711;
    const uint32_t gen = c.sl->tx_lock_gen;
    const jr_time before = rig.now;
    JR_CHECK_EQ(adopt(&stranger, c.fd, &rep, &seg_fd), 0);
    JR_CHECK(rig.now - before >= 50 * JR_MS);
    JR_CHECK(c.sl->tx_lock_gen != gen);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_SOCK_MOVES_FORCED), 1);
    close(seg_fd);
    close(c.fd);
    rig_detach(&stranger);
    rig_detach(&b);
    end();
}

JR_TEST(sleep_is_refused_while_there_is_work)
{
    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM));
    rig_run(&rig, JR_MS);
    JR_CHECK(jr_ctl_prepare_sleep(rig.a.ctl));
    JR_CHECK(a.policy->sleep_epoch & 1);
    jr_ctl_woke(rig.a.ctl);
    JR_CHECK(!(a.policy->sleep_epoch & 1));
    rig_mark(&s);
    JR_CHECK(!jr_ctl_prepare_sleep(rig.a.ctl));
    JR_CHECK(!(a.policy->sleep_epoch & 1));
    jr_ctl_woke(rig.a.ctl);
    end();
}

JR_TEST(the_bell_rings_the_epoll_fd)
{
    const uint64_t one = 1;

    start(NULL);
    rig_run(&rig, JR_MS);
    const uint64_t before = rig_count(&rig.a, JR_C_CTL_DOORBELLS);
    for (int i = 1; i <= 3; i++) {
        JR_CHECK_EQ(write(a.bell, &one, sizeof one), 8);
        rig_step(&rig);
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_DOORBELLS) - before, i);
    }
    rig_step(&rig);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_DOORBELLS) - before, 3);
    end();
}

/* A child has its bell and its sockets; the program ends, and so does, later, its last socket. */
JR_TEST(the_bell_outlives_its_program)
{
    const uint64_t one = 1;

    start(NULL);
    JR_CHECK(rig_socket(&s, &a, SOCK_STREAM));
    const int bell = dup(a.bell);
    close(a.fd);
    a.fd = rig_connect_raw(&rig.a);
    rig_run(&rig, 5 * JR_MS);
    for (int i = 0; i < 2; i++) {
        const uint64_t rung = rig_count(&rig.a, JR_C_CTL_DOORBELLS);
        JR_CHECK_EQ(write(bell, &one, sizeof one), 8);
        rig_run(&rig, JR_MS);
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_DOORBELLS), rung + (i == 0)); /* nobody is left to ring for */
        if (i == 0)
            close(s.fd);
        rig_run(&rig, 5 * JR_MS);
    }
    close(bell);
    end();
}

JR_TEST(routes_longest_first_and_cut)
{
    static struct jr_ctl_route routes[300];

    start(NULL);
    for (uint32_t i = 0; i < 300; i++)
        routes[i] = (struct jr_ctl_route){
            .prefix = jr_addr_v4(htonl(i << 16)), .plen = 96 + i % 30, .route = JR_ROUTE_SERVICE};
    jr_ctl_set_routes(rig.a.ctl, routes, 300, &rig.a.addr, 1);
    JR_CHECK_EQ(a.policy->nroutes, JR_POLICY_ROUTES);
    JR_CHECK_EQ(a.policy->routes[0].plen, 125);
    JR_CHECK(a.policy->routes[255].plen <= a.policy->routes[0].plen);
    JR_CHECK_EQ(a.policy->seq & 1, 0);
    JR_CHECK_MEM(a.policy->addrs[0], rig.a.addr.b, 16);
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_ROUTES_CUT), 1);
    end();
}

JR_TEST(dump_is_json_at_any_size)
{
    static char all[4096], part[4096];

    start(NULL);
    JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM) && rig_bind(&s, rig.a.addr, 80, NULL) == 0 &&
               rig_listen(&s, 5, NULL) == 0);
    const size_t need = jr_ctl_dump(rig.a.ctl, 0, NULL, 0);
    JR_CHECK_EQ(jr_ctl_dump(rig.a.ctl, 0, all, sizeof all), need);
    JR_CHECK_EQ(strlen(all), need);
    JR_CHECK(all[0] == '[' && all[need - 1] == ']' && strstr(all, "\"state\":\"LISTEN\"") &&
             strstr(all, "\"port\":80"));
    for (size_t n = 0; n <= need + 1; n++) {
        memset(part, 'x', sizeof part);
        JR_REQUIRE(jr_ctl_dump(rig.a.ctl, 0, part, n) == need);
        JR_REQUIRE(part[n] == 'x' && (n == 0 || strlen(part) < n));
    }
    JR_CHECK_STR(part, all);
    end();
}

static int net_bind(bool on)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2];

    if (syscall(SYS_capget, &h, d) < 0)
        return -1;
    d[0].effective = on ? d[0].effective | 1u << 10 : d[0].effective & ~(1u << 10);
    return (int)syscall(SYS_capset, &h, d);
}

JR_TEST(low_ports_need_the_capability)
{
    struct rig_app poor;

    start(NULL);
    if (net_bind(true) == 0) {
        JR_CHECK_EQ(net_bind(false), 0);
        JR_REQUIRE(rig_attach(&poor, &rig.a) && rig_socket(&s, &poor, SOCK_STREAM));
        JR_CHECK_EQ(rig_bind(&s, rig.a.addr, 999, NULL), -EACCES);
        JR_CHECK_EQ(net_bind(true), 0);
        JR_CHECK_EQ(rig_bind(&s, rig.a.addr, 999, NULL), -EACCES); /* it attached without */
        JR_CHECK_EQ(rig_count(&rig.a, JR_C_SOCK_BIND_DENIED), 2);
        JR_CHECK_EQ(rig_bind(&s, rig.a.addr, 1999, NULL), 0);
        rig_detach(&poor);
        close(s.fd);
        JR_REQUIRE(rig_socket(&s, &a, SOCK_STREAM));
        JR_CHECK_EQ(net_bind(false), 0);
        JR_CHECK_EQ(rig_bind(&s, rig.a.addr, 999, NULL), -EACCES); /* it has dropped it since */
        JR_CHECK_EQ(net_bind(true), 0);
        JR_CHECK_EQ(rig_bind(&s, rig.a.addr, 999, NULL), 0);
    }
    end();
}

static struct jr_rule no_cat = {.program = "*_control*", .uid = -1, .route = JR_ROUTE_KERNEL};

static void refuse_us(struct jr_ctl_config *cfg)
{
    cfg->rules = &no_cat;
    cfg->nrules = 1;
}

JR_TEST(rules_send_programs_away)
{
    rig_init(&rig, refuse_us);
    const int fd = rig_connect_raw(&rig.a);
    JR_CHECK(is_dropped(fd));
    JR_CHECK_EQ(rig_count(&rig.a, JR_C_CTL_REFUSED_RULE), 1);
    close(fd);
    rig_fini(&rig);
}

JR_TEST_MAIN
