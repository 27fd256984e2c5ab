/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens to sockets across fork, vfork, exec, SCM_RIGHTS, dup and mass close; signal handlers in the middle. */
#include "client_test.h"

#include <sys/resource.h>
#include <sys/time.h>

static void expect_child(pid_t pid)
{
    int status = -1;
    waitpid(pid, &status, 0);
    JR_CHECK_EQ(status, 0);
}

static pid_t hooked_fork(void)
{
    __jr_fork_prepare();
    pid_t pid = fork();
    if (pid == 0)
        __jr_fork_child();
    else
        __jr_fork_parent();
    return pid;
}

static void exchange(int a, int b)
{
    char buf[64] = "";
    JR_CHECK_EQ(__jr_send(a, "hello", 5, 0), 5);
    JR_CHECK_EQ(__jr_recv(b, buf, 5, MSG_WAITALL), 5);
    JR_CHECK_MEM(buf, "hello", 5);
}

static unsigned internal_fds(void)
{
    uint64_t ent;
    unsigned n = 0;
    for (int fd = __jr_fd_next(0, &ent); fd >= 0; fd = __jr_fd_next(fd + 1, &ent))
        n += jr_ent_kind(ent) == JR_FD_INTERNAL;
    return n;
}

static void forks(void)
{
    int fd[3], go[2];
    char c;
    JR_REQUIRE(connected(fd));
    struct jr_seg *seg = __jr.pool;
    pid_t pid = hooked_fork();
    if (pid == 0) {
        JR_CHECK(internal_fds() <= 1); /* the doorbell */
        exchange(fd[0], fd[1]);        /* inherited ones work in the child */
        struct pollfd p[2] = {{.fd = fd[1], .events = POLLIN}, {.fd = fd[0], .events = POLLIN}};
        JR_CHECK_EQ(__jr_poll(p, 2, 30), 0);
        int n = __jr_socket(AF_INET, SOCK_STREAM, 0);
        JR_CHECK(n >= 0 && __jr_is_ours(n));
        JR_CHECK(__jr.pool != seg);
        int e = do_dial(ADDR, 7);
        JR_CHECK(e >= 0);
        __jr_send(e, "c", 1, 0);
        JR_CHECK_EQ(__jr_recv(e, &c, 1, 0), 1);
        __jr_close(n);
        _exit(jr_test_failures ? 1 : 0);
    }
    int n = __jr_socket(AF_INET, SOCK_STREAM, 0);
    JR_CHECK(n >= 0 && __jr_is_ours(n));
    JR_CHECK(__jr.pool != seg); /* not in memory that the child had */
    int a = __jr_accept(fd[2], NULL, NULL);
    JR_CHECK_EQ(__jr_recv(a, &c, 1, 0), 1);
    JR_CHECK_EQ(__jr_send(a, "d", 1, 0), 1);
    JR_CHECK_EQ(__jr_recv(a, &c, 1, 0), 0);
    expect_child(pid);
    exchange(fd[0], fd[1]);
    exchange(fd[1], fd[0]);
    /* The last one in any process ends it. */
    JR_REQUIRE(pipe(go) == 0);
    pid = hooked_fork();
    if (pid == 0)
        _exit(read(go[0], &c, 1) == 1 ? 0 : 1);
    JR_CHECK_EQ(__jr_close(fd[0]), 0);
    fake_settle();
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, MSG_DONTWAIT), -1);
    JR_CHECK_EQ(write(go[1], "g", 1), 1);
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 0);
    expect_child(pid);
}
CLIENT_TEST(forks_and_both_go_on) { forks(); }
CLIENT_TEST(forks_and_both_go_on_pairs, .pairs = true) { forks(); }

CLIENT_TEST(parked_handles_do_not_leak_into_children)
{
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0);
    fake_settle(); /* it has closed its copies */
    pid_t pid = hooked_fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    unsigned given = fake_handles();
    JR_CHECK(given > 1);
    int fd2 = __jr_socket(AF_INET, SOCK_STREAM, 0); /* drops the parked ones */
    WAIT_FOR(fake_closes() == given - 1);
    __jr_close(fd);
    __jr_close(fd2);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

CLIENT_TEST(epoll_kept_across_fork)
{
    int fd[3], ep = __jr_epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 77};
    JR_REQUIRE(connected(fd));
    __jr_epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &ev);
    JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 0), 0);
    pid_t pid = hooked_fork();
    if (pid == 0) {
        JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 5000), 1);
        JR_CHECK_EQ(ev.data.u32, 77);
        _exit(jr_test_failures ? 1 : 0);
    }
    wait_asleep(pid);
    __jr_send(fd[0], "x", 1, 0);
    JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 5000), 1);
    JR_CHECK_EQ(ev.data.u32, 77);
    expect_child(pid);
    char c;
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 1);
    JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 20), 0);
}

CLIENT_TEST(vfork_leaves_the_parent_alone)
{
    int fd[3];
    char c;
    JR_REQUIRE(connected(fd));
    fflush(NULL);
    pid_t pid = vfork();
    if (pid == 0) {
        __jr_close(fd[0]);
        __jr_dup2(fd[1], 0);
        __jr_close_range(3, ~0u, 0);
        _exit(0);
    }
    expect_child(pid);
    JR_CHECK(__jr_is_ours(fd[0]) && !__jr_is_ours(0));
    exchange(fd[0], fd[1]);
    fake_settle();
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, MSG_DONTWAIT), -1);
    JR_CHECK_EQ(errno, EAGAIN);
}

/* The other half of the exec tests: this program again. */
static int as_new_image(int argc, char **argv)
{
    char buf[16] = "";
    __jr_start(environ);
    for (int i = 2; i < argc; i++) {
        int fd = atoi(argv[i]);
        if (!__jr_is_ours(fd))
            return 10 + i;
        if (__jr_recv(fd, buf, 4, MSG_WAITALL) != 4 || memcmp(buf, "ping", 4) != 0)
            return 20 + i;
        if (__jr_send(fd, "pong", 4, 0) != 4)
            return 30 + i;
    }
    return getenv("JOYRIDE_INHERIT") ? 3 : 0;
}

/* What a new image finds in ENVP after this one, which was told PATH and USE; whether the hint was needed. */
static bool told(char **envp, const char *path, const char *use)
{
    __jr_env_keep(path, use);
    size_t n = __jr_exec_size(envp);
    if (n == 0)
        return false;
    char **env = __jr_exec_prepare(envp, alloca(n), n);
    __jr_env_keep(NULL, NULL);
    __jr_start(env);
    for (; *env; env++)
        JR_CHECK(strncmp(*env, "JOYRIDE_INHERIT", 15) != 0);
    return true;
}

CLIENT_TEST(an_emptied_environment_keeps_the_service)
{
    char *empty[] = {NULL}, *one[] = {"A=b", NULL}, *other[] = {"JOYRIDE_SOCKET=/other", NULL},
         *on[] = {"JOYRIDE=on", NULL};
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bool off;
        JR_CHECK(told(empty, "/run/x.sock", NULL));
        JR_CHECK(strcmp(__jr_socket_path(), "/run/x.sock") == 0);
        JR_CHECK(told(one, "/run/x.sock", "off"));
        JR_CHECK(strcmp(__jr_env_told(&off), "/run/x.sock") == 0 && off);
        JR_CHECK(told(one, NULL, "off"));
        JR_CHECK(strcmp(__jr_env_told(&off), "") == 0 && off);
        JR_CHECK(!told(other, "/run/x.sock", NULL));
        JR_CHECK(!told(on, NULL, "off"));
        JR_CHECK(!told(one, NULL, NULL));
        _exit(jr_test_failures ? 1 : 0);
    }
    expect_child(pid);
}

static void exec_with(int fd, int other, bool by_vfork)
{
    char a[16], b[16], *argv[] = {"/proc/self/exe", "--image", a, by_vfork ? b : NULL, NULL};
    snprintf(a, sizeof a, "%d", fd);
    snprintf(b, sizeof b, "%d", 0);
    fflush(NULL);
    size_t pid_env = __jr_exec_size(environ);
    (void)pid_env;
    pid_t pid = by_vfork ? vfork() : hooked_fork();
    if (pid == 0) {
        if (by_vfork)
            __jr_dup2(other, 0); /* a number that the parent's table does not know */
        size_t n = __jr_exec_size(environ);
        char **env = n ? __jr_exec_prepare(environ, alloca(n), n) : environ;
        execve(argv[0], argv, env);
        _exit(99);
    }
    expect_child(pid);
}

static void execs(bool by_vfork)
{
    int fd[3], fd2[2];
    char buf[8];
    JR_REQUIRE(connected(fd));
    fd2[0] = do_dial(ADDR, 7);
    fd2[1] = __jr_accept(fd[2], NULL, NULL);
    JR_CHECK_EQ(__jr_fcntl(fd2[1], F_SETFD, (void *)(intptr_t)FD_CLOEXEC), 0);
    JR_CHECK_EQ(__jr_send(fd[0], "ping", 4, 0), 4);
    JR_CHECK_EQ(__jr_send(fd2[0], "ping", 4, 0), 4);
    exec_with(fd[1], fd2[1], by_vfork);
    JR_CHECK_EQ(__jr_recv(fd[0], buf, 4, MSG_WAITALL | (jr_test_failures ? MSG_DONTWAIT : 0)), 4);
    JR_CHECK_MEM(buf, "pong", 4);
    if (by_vfork)
        JR_CHECK_EQ(__jr_recv(fd2[0], buf, 4, MSG_WAITALL | (jr_test_failures ? MSG_DONTWAIT : 0)), 4);
}
CLIENT_TEST(exec_inherits) { execs(false); }
CLIENT_TEST(vfork_and_exec_inherit) { execs(true); }

CLIENT_TEST(passes_by_scm_rights)
{
    int fd[3], un[2];
    JR_REQUIRE(connected(fd));
    JR_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, un) == 0);
    pid_t pid = hooked_fork();
    char cbuf[CMSG_SPACE(sizeof(int))] = {0}, byte = 0, buf[8];
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf, .msg_controllen = sizeof cbuf};
    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            __jr_close(fd[i]);
        if (recvmsg(un[1], &m, 0) != 1)
            _exit(2);
        __jr_scm_received(&m);
        int got;
        memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
        JR_CHECK(__jr_is_ours(got));
        JR_CHECK_EQ(__jr_recv(got, buf, 4, MSG_WAITALL), 4);
        JR_CHECK_EQ(__jr_send(got, "pong", 4, 0), 4);
        _exit(jr_test_failures ? 1 : 0);
    }
    m.msg_control = cbuf;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd[1], sizeof(int));
    JR_CHECK_EQ(sendmsg(un[0], &m, 0), 1);
    JR_CHECK_EQ(__jr_close(fd[1]), 0);
    JR_CHECK_EQ(__jr_send(fd[0], "ping", 4, 0), 4);
    JR_CHECK_EQ(__jr_recv(fd[0], buf, 4, MSG_WAITALL), 4);
    expect_child(pid);
    JR_CHECK_EQ(__jr_recv(fd[0], buf, 4, 0), 0);
}

CLIENT_TEST(own_fds_are_protected)
{
    int fd[3], pipefd[2];
    struct epoll_event ev = {.events = EPOLLIN};
    JR_REQUIRE(connected(fd));
    JR_REQUIRE(pipe(pipefd) == 0);
    int ep = __jr_epoll_create1(0);
    __jr_epoll_ctl(ep, EPOLL_CTL_ADD, fd[1], &ev);
    JR_CHECK_EQ(__jr_close(__jr.ctl_fd), -1);
    JR_CHECK_EQ(errno, EBADF);
    JR_CHECK_EQ(__jr_dup(__jr.bell_fd), -1);
    JR_CHECK_EQ(__jr_read(__jr.bell_fd, pipefd, 8), -1);
    JR_CHECK_EQ(errno, EBADF);
    JR_CHECK_EQ(__jr_fcntl(__jr.bell_fd, F_GETFD, NULL), -1);
    /* Onto every number of ours: they move away. */
    uint64_t ent;
    int wanted[300], n = 0;
    for (int k = __jr_fd_next(0, &ent); k >= 0 && n < 300; k = __jr_fd_next(k + 1, &ent))
        if (jr_ent_kind(ent) == JR_FD_INTERNAL)
            wanted[n++] = k;
    JR_CHECK(n > 3);
    for (int i = 0; i < n; i++)
        JR_CHECK_EQ(__jr_dup2(pipefd[0], wanted[i]), wanted[i]);
    for (int i = 0; i < n; i++)
        JR_CHECK(!__jr_is_ours(wanted[i]) && fcntl(wanted[i], F_GETFD) == 0);
    for (int i = 0; i < 30; i++) {
        int s = __jr_socket(AF_INET, SOCK_STREAM, 0);
        JR_CHECK(s >= 0 && __jr_is_ours(s));
        __jr_close(s);
    }
    __jr_send(fd[0], "x", 1, 0);
    JR_CHECK_EQ(__jr_epoll_wait(ep, &ev, 1, 5000), 1);
}

CLIENT_TEST(dup2_between_kinds)
{
    int fd[3], pipefd[2];
    char c;
    JR_REQUIRE(connected(fd));
    JR_REQUIRE(pipe(pipefd) == 0);
    JR_CHECK_EQ(__jr_dup2(fd[0], pipefd[1]), pipefd[1]);
    JR_CHECK(__jr_is_ours(pipefd[1]));
    exchange(pipefd[1], fd[1]);
    JR_CHECK_EQ(__jr_dup2(pipefd[0], fd[0]), fd[0]);
    JR_CHECK(!__jr_is_ours(fd[0]));
    exchange(pipefd[1], fd[1]);
    JR_CHECK_EQ(__jr_dup3(fd[1], pipefd[1], O_CLOEXEC), pipefd[1]);
    JR_CHECK_EQ(__jr_recv(fd[1], &c, 1, 0), 0); /* the peer's last fd was overwritten */
    JR_CHECK_EQ(__jr_fcntl(pipefd[1], F_GETFD, NULL), FD_CLOEXEC);
    JR_CHECK_EQ(__jr_dup2(fd[1], fd[1]), fd[1]);
    JR_CHECK_EQ(__jr_dup3(fd[1], fd[1], 0), -1);
    JR_CHECK_EQ(errno, EINVAL);
    JR_CHECK_EQ(__jr_dup2(63, fd[1]), -1);
    JR_CHECK_EQ(errno, EBADF);
    JR_CHECK(__jr_is_ours(fd[1]));
    struct jr_sock s;
    __jr_sock_get(fd[1], &s);
    JR_CHECK_EQ(s.ls->fds, 2);
}

CLIENT_TEST(closes_ranges)
{
    int fd[3], devnull[2];
    JR_REQUIRE(connected(fd));
    devnull[0] = fcntl(0, F_DUPFD, 600);
    devnull[1] = fcntl(0, F_DUPFD, 5000);
    JR_CHECK_EQ(__jr_close_range((unsigned)fd[0], (unsigned)fd[0], CLOSE_RANGE_CLOEXEC), 0);
    JR_CHECK_EQ(__jr_fcntl(fd[0], F_GETFD, NULL), FD_CLOEXEC);
    JR_CHECK_EQ(__jr_close_range(5, 4, 0), -1);
    JR_CHECK_EQ(errno, EINVAL);
    JR_CHECK_EQ(__jr_close_range(3, ~0u, 0), 0);
    JR_CHECK(!__jr_is_ours(fd[0]) && !__jr_is_ours(fd[1]) && !__jr_is_ours(fd[2]));
    JR_CHECK(fcntl(devnull[0], F_GETFD) < 0 && fcntl(devnull[1], F_GETFD) < 0);
    int s = __jr_socket(AF_INET, SOCK_STREAM, 0); /* still attached */
    JR_CHECK(s >= 0 && __jr_is_ours(s));
    __jr_closefrom(s);
    JR_CHECK(!__jr_is_ours(s));
}

CLIENT_TEST(runs_out_of_numbers)
{
    int fd = __jr_socket(AF_INET, SOCK_STREAM, 0), l = do_listen(ADDR, 7, SOCK_NONBLOCK), c = do_dial(ADDR, 7);
    struct rlimit rl = {(rlim_t)c + 1, 20000};
    JR_CHECK_EQ(setrlimit(RLIMIT_NOFILE, &rl), 0);
    while (dup(0) >= 0)
        ;
    JR_CHECK_EQ(__jr_socket(AF_INET, SOCK_STREAM, 0), -1);
    JR_CHECK_EQ(errno, EMFILE);
    JR_CHECK_EQ(__jr_accept(l, NULL, NULL), -1);
    JR_CHECK_EQ(errno, EMFILE);
    __jr_close(fd);
    int a = __jr_accept(l, NULL, NULL); /* the connection waited */
    if (!JR_CHECK_EQ(a, fd))
        perror("accept");
}

/* ---- signal handlers that use the socket in whose call they come ---- */

static int sig_fd;
static uint64_t sent_in_handler, handler_calls;
static void send_in_handler(int sig)
{
    static const char text[] = "HANDLERHANDLER16";
    int err = errno;
    (void)sig;
    handler_calls++;
    ssize_t r = __jr_send(sig_fd, text, 16, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (r > 0)
        sent_in_handler += (uint64_t)r;
    errno = err;
}

struct sink {
    int fd;
    uint64_t lower, upper, torn;
};

/* Upper-case runs must be whole: nothing was written over them. */
static void *sink(void *arg)
{
    struct sink *k = arg;
    static const char text[] = "HANDLERHANDLER16";
    char buf[8192];
    unsigned at = 0;
    ssize_t r;
    while ((r = __jr_recv(k->fd, buf, sizeof buf, 0)) > 0)
        for (ssize_t i = 0; i < r; i++) {
            if (buf[i] == '.') {
                k->torn += at != 0 && at != 16;
                at = 0;
                k->lower++;
                continue;
            }
            if (at == 16)
                at = 0;
            k->torn += buf[i] != text[at];
            at++;
            k->upper++;
        }
    JR_CHECK_EQ(r < 0 ? -errno : r, 0);
    return NULL;
}

static void handler_sends(void)
{
    int fd[3];
    pthread_t t;
    static char dots[4000];
    uint64_t total = 0;
    JR_REQUIRE(connected(fd));
    memset(dots, '.', sizeof dots);
    sig_fd = fd[0];
    struct sink k = {.fd = fd[1]};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&t, NULL, sink, &k);
    struct sigaction sa = {.sa_handler = send_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    struct itimerval it = {{0, 50}, {0, 50}};
    setitimer(ITIMER_REAL, &it, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    int64_t end = now_ms() + 1500;
    while (now_ms() < end || handler_calls <= 100) {
        ssize_t r = __jr_send(fd[0], dots, sizeof dots, 0);
        if (r > 0)
            total += (uint64_t)r;
    }
    it = (struct itimerval){0};
    setitimer(ITIMER_REAL, &it, NULL);
    __jr_shutdown(fd[0], SHUT_WR);
    pthread_join(t, NULL);
    JR_CHECK_EQ(k.torn, 0);
    JR_CHECK_EQ(k.lower, total);
    JR_CHECK_EQ(k.upper, sent_in_handler);
    JR_CHECK(handler_calls > 100);
    printf("%llu handler calls, %llu bytes between %llu\n", (unsigned long long)handler_calls,
           (unsigned long long)k.upper, (unsigned long long)k.lower);
}
CLIENT_TEST(handler_sends_in_a_send) { handler_sends(); }

/* The lock of a thread that died with it is taken over. */
static void *lock_and_leave(void *arg)
{
    struct jr_sock s;
    bool nested;
    __jr_sock_get(*(int *)arg, &s);
    __jr_dir_lock(s.seg, &s.slot->tx_lock, &s.slot->tx_lock_gen, &nested);
    __jr_dir_lock(s.seg, &s.slot->rx_lock, &s.slot->rx_lock_gen, &nested);
    JR_CHECK(!nested);
    return NULL;
}

CLIENT_TEST(dead_owner_of_a_lock)
{
    int fd[3];
    pthread_t t;
    JR_REQUIRE(connected(fd));
    pthread_create(&t, NULL, lock_and_leave, &fd[0]);
    pthread_join(t, NULL);
    exchange(fd[0], fd[1]);
    exchange(fd[1], fd[0]);
}

struct jr_test *jr_test_first, **jr_test_last;
unsigned jr_test_failures;

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--image") == 0)
        return as_new_image(argc, argv);
    return jr_test_run_all(argc, argv);
}
