/* SPDX-License-Identifier: BSD-3-Clause */
/* vfork, posix_spawn, system, popen and exec: what a new program gets, and what its parent keeps. */
#include "diff.h"

#include <spawn.h>

extern char **environ;

/* A child serves, and its parent afterwards. */
static void session(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pid_t pid = MUST(fork());
    if (pid == 0) {
        for (int i = 0; i < 20; i++)
            if (!echoes(fd))
                _exit(1);
        _exit(0);
    }
    reap("session", pid);
    say("session: echoes %d", echoes(fd));
}

/* What the executed program does with its argument's words. */
int executed(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        int fd = atoi(argv[i + 1]);
        char buf[64] = "";
        struct stat st;
        if (strcmp(argv[i], "echoes") == 0)
            say("new program: fd %d echoes %d", fd, echoes(fd));
        else if (strcmp(argv[i], "open") == 0)
            say("new program: fd %d open %d", fd, fcntl(fd, F_GETFD) >= 0);
        else if (strcmp(argv[i], "socket") == 0)
            say("new program: fd %d is a socket: %d", fd, fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode));
        else if (strcmp(argv[i], "read") == 0)
            say("new program: fd %d reads %zd", fd, read(fd, buf, sizeof buf));
        else if (strcmp(argv[i], "accept") == 0)
            say("new program: fd %d accepts, echoes %d", fd, echoes(accept(fd, NULL, NULL)));
        else if (strcmp(argv[i], "session") == 0)
            session(fd);
        else if (strcmp(argv[i], "own") == 0)
            say("new program: own echoes %d", echoes(dial(ECHO)));
        else if (strcmp(argv[i], "lowest") == 0)
            say("new program: lowest %d", dup(0));
        else if (strcmp(argv[i], "env") == 0) {
            int n = 0;
            for (char **e = environ; *e; e++)
                n += strncmp(*e, "JOYRIDE_INH", 11) == 0;
            say("new program: odd variables %d", n);
        } else if (strcmp(argv[i], "nonblock") == 0)
            say("new program: fd %d nonblocking %d", fd, !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
        else if (strcmp(argv[i], "again") == 0) {
            char *next[] = {(char *)self_path,
                            (char *)self_path,
                            (char *)host_ip,
                            (char *)peer_ip,
                            "exec",
                            (char *)case_name,
                            "echoes",
                            argv[i + 1],
                            NULL};
            execv(self_path, next);
        }
    }
    return 5;
}

static char **words(char *const *list)
{
    static char *argv[32];
    char *head[] = {(char *)self_path, (char *)self_path, (char *)host_ip, (char *)peer_ip, "exec", (char *)case_name};
    int n = 0;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        argv[n++] = head[i];
    while (*list)
        argv[n++] = *list++;
    argv[n] = NULL;
    return argv;
}
#define ARGS(...) words((char *[]){__VA_ARGS__, NULL})

static char *number(int n)
{
    static char buf[8][12];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(buf[turn], sizeof buf[turn], "%d", n);
    return buf[turn];
}

CASE(exec_keeps_sockets)
{
    int a = dial(ECHO), b = dial(ECHO), u = dial_udp(ECHO), c = dial(ECHO);
    fcntl(b, F_SETFD, FD_CLOEXEC);
    fcntl(c, F_SETFL, O_NONBLOCK);
    send(u, "hello", 5, 0);
    execv(self_path, ARGS("socket", number(a), "echoes", number(a), "open", number(b), "read", number(u), "nonblock",
                          number(c), "own", "0", "env", "0"));
}

CASE(sock_cloexec)
{
    int a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port, l = listen_on(host_ip, &port);
    call_me(port, 2, "echo");
    int b = accept4(l, NULL, NULL, SOCK_CLOEXEC), c = accept4(l, NULL, NULL, 0);
    int d = dup(a), e = fcntl(c, F_DUPFD_CLOEXEC, 0);
    say("%d %d %d %d %d", fcntl(a, F_GETFD), fcntl(b, F_GETFD), fcntl(c, F_GETFD), fcntl(d, F_GETFD),
        fcntl(e, F_GETFD));
    execv(self_path, ARGS("open", number(a), "open", number(b), "open", number(c), "open", number(d), "open", number(e),
                          "echoes", number(c)));
}

CASE(ioctl_cloexec)
{
    int a = dial(ECHO), b = dial(ECHO);
    fcntl(b, F_SETFD, FD_CLOEXEC);
    SAY(ioctl(a, FIOCLEX));
    SAY(ioctl(b, FIONCLEX));
    execv(self_path, ARGS("open", number(a), "echoes", number(b)));
}

CASE(exec_a_listener)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 1, "echo");
    execv(self_path, ARGS("accept", number(l)));
}

CASE(exec_a_listener_on_any_address)
{
    int port, l = listen_on("0.0.0.0", &port);
    call_me(port, 1, "echo");
    execv(self_path, ARGS("accept", number(l)));
}

/* A master that has several listeners limits its child, which takes them all and opens sockets of its own. */
CASE(exec_with_limited_addresses)
{
    int port[6], l[6];
    for (int i = 0; i < 6; i++) {
        l[i] = listen_on(i % 2 ? "0.0.0.0" : host_ip, &port[i]);
        call_me(port[i], 1, "echo");
    }
    pid_t pid = MUST(fork());
    if (pid == 0) {
        struct rlimit few = {256 << 20, 256 << 20};
        SAY(setrlimit(RLIMIT_AS, &few));
        execv(self_path, ARGS("accept", number(l[0]), "accept", number(l[1]), "accept", number(l[2]), "own", "0",
                              "accept", number(l[3]), "accept", number(l[4]), "accept", number(l[5]), "own", "0"));
        _exit(9);
    }
    reap("child", pid);
}

CASE(exec_fails)
{
    int a = dial(ECHO);
    SAY(execl("/nonexistent/program", "x", NULL));
    SAY(execl("/etc/passwd", "x", NULL));
    SAY(echoes(a));
    fcntl(a, F_SETFD, FD_CLOEXEC);
    SAY(execl("/nonexistent/program", "x", NULL));
    SAY(echoes(a));
    SAY(fcntl(a, F_GETFD));
}

CASE(exec_twice)
{
    int a = dial(ECHO);
    execv(self_path, ARGS("again", number(a)));
}

/* A shell whose three standard fds are the connection, as inetd gives them. */
CASE(inetd)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 1, "echo");
    int fd = MUST(accept(l, NULL, NULL));
    pid_t pid = MUST(fork());
    if (pid == 0) {
        dup2(fd, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        closefrom(3);
        execl("/bin/sh", "sh", "-c",
              "echo a line; read x; test \"$x\" = 'a line' || exit 3; echo b | cat; read x; exit 4", NULL);
    }
    close(fd);
    reap("shell", pid);
}

/* As sshd: each connection gets the program anew. */
CASE(executed_anew_for_each_connection)
{
    int port, l = listen_on(host_ip, &port), sv[2];
    call_me(port, 12, "echo");
    for (int i = 0; i < 12; i++) {
        int fd = MUST(accept(l, NULL, NULL));
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
        pid_t pid = MUST(fork());
        if (pid == 0) {
            close(l);
            dup2(sv[0], 20);
            dup2(fd, 5);
            closefrom(21);
            for (int n = 6; n < 20; n++)
                close(n);
            execv(self_path, ARGS("socket", "5", "session", "5", "socket", "20"));
            _exit(9);
        }
        close(fd);
        close(sv[0]);
        close(sv[1]);
        reap("server", pid);
    }
}

CASE(listen_fds)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 1, "echo");
    pid_t pid = MUST(fork());
    if (pid == 0) {
        if (l != 3)
            dup2(l, 3);
        closefrom(4);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_PID", number(getpid()), 1);
        execv(self_path, ARGS("socket", "3", "accept", "3"));
        _exit(9);
    }
    close(l);
    reap("activated", pid);
}

CASE(exec_with_another_environment)
{
    int a = dial(ECHO);
    char *env[] = {"A=b", NULL};
    pid_t pid = MUST(fork());
    if (pid == 0) {
        execve(self_path, ARGS("echoes", number(a), "env", "0"), env);
        _exit(9);
    }
    reap("env", pid);
    char *none[] = {NULL};
    execve(self_path, ARGS("echoes", number(a)), none);
}

static void *exec_main(void *arg)
{
    execv(self_path, ARGS("echoes", number(*(int *)arg), "own", "0"));
    return NULL;
}

static long do_recv(void *arg)
{
    char c;
    return recv(*(int *)arg, &c, 1, 0);
}

CASE(exec_from_a_thread)
{
    int a = dial(ECHO), b = dial(SILENT);
    struct blocked blocked;
    pthread_t t;
    block(&blocked, do_recv, &b);
    pthread_create(&t, NULL, exec_main, &a);
    pause();
}

CASE(exec_in_a_vfork_child)
{
    int a = dial(ECHO), b = dial(ECHO);
    char **argv = ARGS("echoes", "0", "open", number(b), "lowest", "0");
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(a, 0);
        close(a);
        close(b);
        execv(self_path, argv);
        _exit(9);
    }
    reap("child", pid);
    SAY(echoes(a));
    SAY(echoes(b));
    struct stat st;
    SAY(fstat(0, &st) == 0 && S_ISSOCK(st.st_mode));
}

CASE(vfork_child_closes_all)
{
    int a = dial(ECHO), port, l = listen_on(host_ip, &port);
    for (int i = 0; i < 5; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            for (int fd = 3; fd < 1024; fd++)
                close(fd);
            _exit(0);
        }
        reap("child", pid);
        SAY(echoes(a));
        close(dial(ECHO));
    }
    call_me(port, 1, "echo");
    SAY(echoes(accept(l, NULL, NULL)));
}

static void spawned(const char *who, posix_spawn_file_actions_t *fa, char **argv)
{
    pid_t pid;
    int r = posix_spawn(&pid, self_path, fa, NULL, argv, environ);
    if (r != 0)
        say("%s: %s", who, strerrorname_np(r));
    else
        reap(who, pid);
}

CASE(spawn_actions)
{
    int a = dial(ECHO), b = dial(ECHO), c = dial(ECHO), x = dial(ECHO);
    fcntl(x, F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, a, 0);
    posix_spawn_file_actions_adddup2(&fa, x, 40);
    posix_spawn_file_actions_addclose(&fa, b);
    spawned("spawned", &fa,
            ARGS("echoes", "0", "echoes", number(a), "open", number(b), "echoes", number(c), "open", number(x),
                 "echoes", "40"));
    SAY(echoes(a));
    SAY(echoes(b));
    SAY(echoes(c));
    SAY(echoes(x));
    SAY(fcntl(40, F_GETFD));
    posix_spawn_file_actions_adddup2(&fa, x, x);
    posix_spawn_file_actions_addclosefrom_np(&fa, x + 1);
    spawned("same number", &fa, ARGS("echoes", number(x), "open", number(x + 1), "open", "40"));
    posix_spawn_file_actions_addclose(&fa, 999);
    spawned("bad close", &fa, ARGS("echoes", "0"));
    posix_spawn_file_actions_adddup2(&fa, 998, 3);
    spawned("bad dup2", &fa, ARGS("echoes", "0"));
    SAY(echoes(a));
}

CASE(spawn_a_listener)
{
    int port, l = listen_on(host_ip, &port);
    call_me(port, 2, "echo");
    spawned("spawned", NULL, ARGS("accept", number(l), "own", "0"));
    SAY(echoes(accept(l, NULL, NULL)));
}

CASE(spawnp_many)
{
    int a = dial(ECHO), ok = 0;
    for (int i = 0; i < 20; i++) {
        pid_t pid;
        int status = 0;
        char *argv[] = {"true", NULL};
        if (posix_spawnp(&pid, "true", NULL, NULL, argv, environ) == 0 && waitpid(pid, &status, 0) == pid &&
            status == 0)
            ok++;
        ok += echoes(a);
    }
    SAY(ok);
}

static volatile bool stop;
static void *talk(void *arg)
{
    int fd = dial(ECHO);
    while (!stop)
        if (!echoes(fd))
            say("a thread's socket is broken");
    return arg;
}

CASE(spawn_among_threads)
{
    pthread_t t[2];
    int ok = 0;
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, talk, NULL);
    for (int i = 0; i < 20; i++)
        ok += system("exit 3") == 3 << 8;
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    SAY(ok);
}

CASE(system_and_popen)
{
    int a = MUST(fcntl(dial(ECHO), F_DUPFD, 9));
    char line[64] = "";
    SAY(system("echo to the socket >&9") >> 8);
    SAY(read(a, line, 14));
    FILE *f = popen("read x <&9; echo \"got $x\"", "r");
    send(a, "something\n", 10, 0);
    fgets(line, sizeof line, f);
    say("%s", line);
    SAY(pclose(f));
    f = popen("cat >&9", "w");
    fputs("abc", f);
    SAY(pclose(f));
    SAY(recv(a, line, 3, MSG_WAITALL));
    SAY(echoes(a));
}

CASE(a_pipeline_of_programs)
{
    int a = MUST(fcntl(dial(ECHO), F_DUPFD, 9));
    SAY(system(
        "for i in 1 2 3; do echo $i; done | tee /dev/null | cat >&9; head -c 6 <&9 | tr -d '\\n' | grep -q 123"));
    SAY(echoes(a));
}
