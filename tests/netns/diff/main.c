/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the cases: SELF HOST PEER HOST6 PEER6 [PREFIX...], all or those whose names begin so. What a case prints goes to
 * a file first, so that several can run at once (DIFF_AT_ONCE); each is a process group of its own, which is killed
 * when the case has ended. DIFF_PEER_NS names the peer's namespace; with DIFF_CARRIED the host's sockets must be the
 * service's.
 */
#include "diff.h"

#include <sys/pidfd.h>

#define CASE_SECONDS 60

const char *self_path, *case_name;

extern const struct diff_case *const __start_diff_cases[], *const __stop_diff_cases[];

struct running {
    const struct diff_case *of;
    pid_t pid;
    int out; /* its standard output */
};

__attribute__((weak)) int executed(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 96;
}

/* OTHERS: N of them, whose files this one is not to see. */
static void start(struct running *r, const struct running *others, size_t n)
{
    r->out = (int)MUST(memfd_create("out", MFD_CLOEXEC));
    MUST(fcntl(r->out, F_SETFL, O_APPEND)); /* two who write at once share the offset, which nobody locks for a memfd */
    r->pid = (pid_t)MUST(fork());
    if (r->pid > 0) {
        setpgid(r->pid, r->pid);
        return;
    }
    setpgid(0, 0);
    MUST(dup2(r->out, STDOUT_FILENO));
    close(r->out);
    for (size_t i = 0; i < n; i++)
        close(others[i].out);
    case_name = r->of->name;
    r->of->run();
    exit(0);
}

static void print(const struct running *r)
{
    struct stat st;

    MUST(fstat(r->out, &st));
    char *text = calloc(1, (size_t)st.st_size + 1);
    NEED(text && pread(r->out, text, (size_t)st.st_size, 0) == st.st_size);
    for (char *at = text, *line; (line = strsep(&at, "\n")) && (at || *line);)
        printf("%s: %s\n", r->of->name, line);
    free(text);
}

static void finish(const struct running *r)
{
    struct pollfd p = {.fd = (int)MUST(pidfd_open(r->pid, 0)), .events = POLLIN};
    int status;

    const bool ended = poll(&p, 1, CASE_SECONDS * 1000) > 0;
    close(p.fd);
    kill(-r->pid, SIGKILL);
    NEED(waitpid(r->pid, &status, 0) == r->pid);
    print(r);
    if (!ended)
        printf("%s: end: still running after %d s\n", r->of->name, CASE_SECONDS);
    else if (WIFSIGNALED(status))
        printf("%s: end: signal %s\n", r->of->name, sigabbrev_np(WTERMSIG(status)));
    else
        printf("%s: end: exit %d\n", r->of->name, WEXITSTATUS(status));
    fflush(stdout);
    close(r->out);
}

static bool is_wanted(const char *name, char **prefixes)
{
    if (!*prefixes)
        return true;
    for (; *prefixes; prefixes++)
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

static void run(char **prefixes)
{
    const char *wish = getenv("DIFF_AT_ONCE");
    const size_t at_once = wish ? (size_t)atoi(wish) : 1;
    const size_t all = (size_t)(__stop_diff_cases - __start_diff_cases);
    struct running *list = calloc(all, sizeof *list);
    size_t n = 0, started = 0;

    NEED(list);
    for (size_t i = 0; i < all; i++)
        if (is_wanted(__start_diff_cases[i]->name, prefixes))
            list[n++].of = __start_diff_cases[i];
    for (size_t done = 0; done < n; done++) {
        for (; started < n && started < done + at_once; started++)
            start(&list[started], list + done, started - done);
        finish(&list[done]);
    }
    free(list);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    self_path = argv[1];
    host_ip = argv[2];
    peer_ip = argv[3];
    host4 = address(host_ip, 0);
    peer4 = address(peer_ip, 0);
    if (argc > 5 && strcmp(argv[4], "exec") == 0) {
        case_name = argv[5];
        return executed(argc - 5, argv + 5);
    }
    if (argc < 6)
        return 2;
    host6.sin6_family = peer6.sin6_family = AF_INET6;
    NEED(inet_pton(AF_INET6, argv[4], &host6.sin6_addr) == 1 && inet_pton(AF_INET6, argv[5], &peer6.sin6_addr) == 1);
    run(argv + 6);
    return 0;
}
