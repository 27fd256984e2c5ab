/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the cases of a differential program, each in a process group of its own, which is killed when its time is up. */
#include "diff.h"

#define SECONDS 30

const char *host_ip, *peer_ip, *self_path, *case_name = "main";
struct diff_case *cases;

/* A program that executes itself comes back here; the case's file knows what to do. */
__attribute__((weak)) int executed(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 96;
}

static void run(struct diff_case *c)
{
    case_name = c->name;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        alarm(SECONDS);
        c->run();
        exit(0);
    }
    setpgid(pid, pid);
    reap("end", pid);
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    self_path = argv[1];
    host_ip = argv[2];
    peer_ip = argv[3];
    if (argc > 5 && strcmp(argv[4], "exec") == 0) {
        case_name = argv[5];
        return executed(argc - 5, argv + 5);
    }
    for (struct diff_case *c = cases; c; c = c->next)
        if (argc < 5 || strcmp(argv[4], c->name) == 0)
            run(c);
    return 0;
}
