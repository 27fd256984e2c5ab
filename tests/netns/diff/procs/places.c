/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes that change who and where they are, with sockets in hand: users, chroot, namespaces, daemons, tracers. */
#include "diff.h"

#include <dlfcn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

/* A listener of its own is called. */
static void be_called(void)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 1, "echo");
    SAY(echoes(accept(l, NULL, NULL)));
}

static void go_on(int fd)
{
    SAY(echoes(fd));
    int own = dial(ECHO);
    say("new one: %d, echoes %d", own - fd, echoes(own));
    be_called();
    for (int i = 0; i < 200; i++) /* more than were ready before */
        if (socket(AF_INET, SOCK_STREAM, 0) < 0)
            say("socket %d: %s", i, strerrorname_np(errno));
    own = dial(ECHO);
    SAY(echoes(own));
}

CASE(another_user)
{
    int fd = dial(ECHO);
    SAY(setgid(65534));
    SAY(setuid(65534));
    go_on(fd);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        go_on(fd);
        _exit(0);
    }
    reap("child", pid);
}

CASE(another_user_before_the_first)
{
    SAY(setresgid(65534, 65534, 65534));
    SAY(setresuid(65534, 65534, 65534));
    go_on(dial(ECHO));
}

CASE(effective_user)
{
    int fd = dial(ECHO);
    SAY(seteuid(65534));
    go_on(fd);
    SAY(seteuid(0));
    SAY(echoes(fd));
}

CASE(privileged_port)
{
    struct sockaddr_in sin = address(host_ip, 81);
    int fd = dial(ECHO), l = socket(AF_INET, SOCK_STREAM, 0), m = socket(AF_INET, SOCK_STREAM, 0);
    SAY(bind(l, (struct sockaddr *)&sin, sizeof sin));
    setuid(65534);
    sin.sin_port = htons(82);
    SAY(bind(m, (struct sockaddr *)&sin, sizeof sin));
    SAY(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof sin));
    SAY(listen(l, 4));
    SAY(echoes(fd));
}

static char *empty_folder(void)
{
    static char name[] = "/tmp/jrdiffXXXXXX";
    if (mkdtemp(name) == NULL)
        _exit(95);
    return name;
}

CASE(changed_root)
{
    char *root = empty_folder();
    int fd = dial(ECHO);
    SAY(chroot(root));
    SAY(chdir("/"));
    go_on(fd);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        SAY(echoes(fd));
        SAY(echoes(dial(ECHO)));
        _exit(0);
    }
    reap("child", pid);
}

CASE(another_mount_namespace)
{
    char *root = empty_folder();
    int fd = dial(ECHO);
    SAY(unshare(CLONE_NEWNS));
    SAY(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    SAY(mount("none", root, "tmpfs", 0, NULL));
    SAY(mount("none", "/tmp", "tmpfs", 0, NULL));
    go_on(fd);
    umount2("/tmp", MNT_DETACH);
    umount2(root, MNT_DETACH);
    rmdir(root);
}

/* New sockets are of the network where the process is, older ones stay where they were made. */
CASE(another_network_namespace)
{
    int fd = dial(ECHO), port, l = listen_on(host_ip, &port);
    int here = MUST(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    SAY(unshare(CLONE_NEWNET));
    SAY(echoes(fd));
    struct sockaddr_in sin = address(peer_ip, ECHO);
    int own = MUST(socket(AF_INET, SOCK_STREAM, 0));
    SAY(connect(own, (struct sockaddr *)&sin, sizeof sin));
    sin = address(host_ip, 0);
    int b = MUST(socket(AF_INET, SOCK_STREAM, 0));
    SAY(bind(b, (struct sockaddr *)&sin, sizeof sin));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        sin = address(peer_ip, ECHO);
        SAY(echoes(fd));
        SAY(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof sin));
        _exit(0);
    }
    reap("child", pid);
    SAY(setns(here, CLONE_NEWNET));
    SAY(echoes(dial(ECHO)));
    call_me(port, 1, "echo");
    SAY(echoes(accept(l, NULL, NULL)));
}

/* One made before, connected after. */
CASE(made_before_used_after)
{
    int fd = MUST(socket(AF_INET, SOCK_STREAM, 0)), u = MUST(socket(AF_INET, SOCK_DGRAM, 0));
    SAY(unshare(CLONE_NEWNET));
    struct sockaddr_in sin = address(peer_ip, ECHO);
    SAY(connect(fd, (struct sockaddr *)&sin, sizeof sin));
    SAY(echoes(fd));
    SAY(connect(u, (struct sockaddr *)&sin, sizeof sin));
    SAY(echoes(u));
}

CASE(a_thread_in_another_network)
{
    int fd = dial(ECHO);
    static int result, error;
    void *thread(void *arg)
    {
        unshare(CLONE_NEWNET);
        struct sockaddr_in sin = address(peer_ip, ECHO);
        result = connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sin, sizeof sin);
        error = errno;
        return arg;
    }
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    say("thread: %d %s", result, strerrorname_np(error));
    SAY(echoes(fd));
    SAY(echoes(dial(ECHO)));
}

/* The child that made the daemon is gone, and then the daemon, which has the writing end. */
static void await_daemon(pid_t child, const int p[2])
{
    char c;
    close(p[1]);
    waitpid(child, NULL, 0);
    SAY(read(p[0], &c, 1));
}

CASE(daemon_3)
{
    int fd = dial(ECHO), p[2];
    MUST(pipe(p));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int out = dup(1);
        SAY(daemon(0, 0));
        dup2(out, 1);
        SAY(echoes(fd));
        SAY(echoes(dial(ECHO)));
        be_called();
        _exit(0);
    }
    await_daemon(pid, p);
}

CASE(daemon_by_hand)
{
    int fd = dial(ECHO), p[2];
    MUST(pipe(p));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        int out = MUST(fcntl(1, F_DUPFD, 500)), told = MUST(fcntl(p[1], F_DUPFD, 500));
        struct rlimit rl;
        getrlimit(RLIMIT_NOFILE, &rl);
        for (int i = 0; i < (int)rl.rlim_cur; i++)
            if (i != out && i != fd && i != told)
                close(i);
        MUST(open("/dev/null", O_RDWR));
        MUST(dup2(out, 1));
        dup2(out, 2);
        SAY(echoes(fd));
        int own = dial(ECHO);
        SAY(own);
        SAY(echoes(own));
        be_called();
        _exit(0);
    }
    await_daemon(pid, p);
}

/* ---- memory ---- */

static long resident_megabytes(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    fscanf(f, "%ld %ld", &pages, &resident);
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE) >> 20;
}

CASE(memory_locked_before)
{
    SAY(mlockall(MCL_CURRENT | MCL_FUTURE));
    int fd = dial(ECHO);
    SAY(echoes(fd));
    SAY(resident_megabytes() < 100);
    char *more = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char in[2048];
    SAY(mincore(more, 8 << 20, in));
    SAY(in[1000] & 1);
}

CASE(memory_locked_after)
{
    int fd = dial(ECHO);
    char *more = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char in[2048];
    SAY(mlockall(MCL_CURRENT | MCL_FUTURE));
    SAY(resident_megabytes() < 100);
    SAY(mincore(more, 8 << 20, in));
    SAY(in[1000] & 1);
    SAY(echoes(fd));
    SAY(munlockall());
    SAY(echoes(dial(ECHO)));
}

/* What a core file would have of each mapping. */
CASE(a_core_file_is_small)
{
    int fd = dial(ECHO);
    FILE *f = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long size = 0, all = 0;
    bool dumped = true;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "Size: %lu kB", &size) == 1)
            continue;
        if (strncmp(line, "VmFlags:", 8) == 0) {
            dumped = strstr(line, " dd") == NULL;
            all += dumped ? size : 0;
        }
    }
    SAY(all >> 10 < 200);
    SAY(echoes(fd));
}

/* ---- tracers ---- */

CASE(attached_by_a_tracer)
{
    int fd = dial(SILENT), to[2], from[2];
    char c;
    MUST(pipe(to));
    MUST(pipe(from));
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        ssize_t r = recv(fd, &c, 1, 0);
        say("recv: %zd", r);
        struct pollfd p = {.fd = fd, .events = 0};
        SAY(poll(&p, 1, 10) >= 0);
        _exit(0);
    }
    wait_asleep(pid);
    for (int i = 0; i < 3; i++) {
        SAY(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
        SAY(waitpid(pid, NULL, 0) == pid);
        SAY(ptrace(PTRACE_DETACH, pid, NULL, NULL));
        nap(20);
    }
    MUST(shutdown(fd, SHUT_RDWR));
    reap("traced", pid);
}

CASE(interrupted_by_a_tracer)
{
    int fd = dial(SILENT), ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        int r = epoll_wait(ep, &ev, 1, 2000);
        nap(100);
        say("epoll_wait: %d %s", r, r < 0 ? strerrorname_np(errno) : "");
        _exit(0);
    }
    wait_asleep(pid);
    SAY(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    SAY(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
    SAY(waitpid(pid, NULL, 0) == pid);
    SAY(ptrace(PTRACE_CONT, pid, NULL, 0));
    nap(50);
    shutdown(fd, SHUT_RDWR);
    reap("traced", pid);
}

/* ---- other copies of code ---- */

CASE(a_library_opened_later)
{
    int fd = dial(ECHO);
    void *lib = dlopen("libresolv.so.2", RTLD_NOW);
    SAY(lib != NULL);
    ssize_t (*theirs)(int, const void *, size_t, int) = dlsym(RTLD_DEFAULT, "send");
    char c;
    SAY(theirs(fd, "x", 1, 0));
    SAY(recv(fd, &c, 1, 0));
    SAY(dlclose(lib));
    SAY(echoes(fd));
}

CASE(another_namespace_of_libraries)
{
    int fd = dial(ECHO);
    void *lib = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    SAY(lib != NULL);
    if (lib == NULL)
        return;
    int (*their_socket)(int, int, int) = dlsym(lib, "socket");
    int (*their_connect)(int, const struct sockaddr *, socklen_t) = dlsym(lib, "connect");
    ssize_t (*their_write)(int, const void *, size_t) = dlsym(lib, "write");
    ssize_t (*their_read)(int, void *, size_t) = dlsym(lib, "read");
    int (*their_close)(int) = dlsym(lib, "close");
    struct sockaddr_in sin = address(peer_ip, ECHO);
    char c;
    int own = their_socket(AF_INET, SOCK_STREAM, 0);
    SAY(own - fd);
    SAY(their_connect(own, (struct sockaddr *)&sin, sizeof sin));
    SAY(their_write(own, "x", 1));
    SAY(their_read(own, &c, 1));
    SAY(their_close(own));
    SAY(echoes(fd));
    SAY(echoes(dial(ECHO)));
}

static int early = -1;
__attribute__((constructor)) static void first(void) { early = socket(AF_INET, SOCK_STREAM, 0); }

CASE(made_by_a_constructor)
{
    struct sockaddr_in sin = address(peer_ip, ECHO);
    SAY(early >= 3);
    SAY(connect(early, (struct sockaddr *)&sin, sizeof sin));
    SAY(echoes(early));
}

static int last_fd = -1;
__attribute__((destructor)) static void last(void)
{
    if (last_fd >= 0) {
        SAY(echoes(last_fd));
        SAY(echoes(dial(ECHO)));
    }
}

CASE(used_by_a_destructor)
{
    last_fd = dial(ECHO);
    exit(3);
}

static __thread int tls_fd;
static pthread_key_t key;
static void key_gone(void *value)
{
    SAY(echoes((int)(intptr_t)value));
    close((int)(intptr_t)value);
}

static void *with_key(void *arg)
{
    tls_fd = dial(ECHO);
    pthread_setspecific(key, (void *)(intptr_t)tls_fd);
    return arg;
}

CASE(used_by_a_threads_end)
{
    pthread_t t;
    pthread_key_create(&key, key_gone);
    pthread_create(&t, NULL, with_key, NULL);
    pthread_join(t, NULL);
    say("joined");
}
