/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of joyride-netsvc. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "main/config.h"
#include "main/logsink.h"
#include "main/supervisor.h"

#define CONFIG_PATH "/etc/joyride/netsvc.toml"

struct options {
    const char *config;
    bool check, no_telemetry;
    int ready_fd;
};

static void usage(FILE *f)
{
    fputs("Usage: joyride-netsvc [OPTION]...\n"
          "The network service: runs TCP, UDP and IP on DPDK ports for programs on joyride-libc.\n\n"
          "  -c, --config=FILE   the configuration (" CONFIG_PATH ")\n"
          "      --check-config  read the configuration, report mistakes and exit\n"
          "      --no-telemetry  no DPDK telemetry socket\n"
          "      --ready-fd=N    write a byte to file descriptor N when the service answers\n"
          "  -h, --help          this text\n"
          "  -V, --version       the version\n",
          f);
}

static int parse_fd(const char *s)
{
    char *end;
    long fd = strtol(s, &end, 10);
    if (*s && !*end && fd >= 0 && fd < 1 << 20 && fcntl((int)fd, F_GETFD) >= 0)
        return (int)fd;
    fprintf(stderr, "joyride-netsvc: --ready-fd: '%s' is no open file descriptor\n", s);
    exit(2);
}

static void parse_options(int argc, char **argv, struct options *o)
{
    enum { CHECK = 256, NO_TELEMETRY, READY_FD };
    static const struct option longs[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, CHECK},
        {"no-telemetry", no_argument, NULL, NO_TELEMETRY},
        {"ready-fd", required_argument, NULL, READY_FD},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "c:hV", longs, NULL)) >= 0;) {
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case CHECK:
            o->check = true;
            break;
        case NO_TELEMETRY:
            o->no_telemetry = true;
            break;
        case READY_FD:
            o->ready_fd = parse_fd(optarg);
            break;
        case 'h':
            usage(stdout);
            exit(0);
        case 'V':
            puts("joyride-netsvc " JR_VERSION);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "joyride-netsvc: unexpected argument '%s'\n", argv[optind]);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.config = CONFIG_PATH, .ready_fd = -1};
    parse_options(argc, argv, &o);
    jr_logsink_install();
    struct jr_config *cfg = jr_config_load(o.config);
    if (!cfg)
        return 2;
    if (o.check) {
        jr_config_free(cfg);
        return 0;
    }
    jr_log_set_level(cfg->log_level);
    cfg->telemetry &= !o.no_telemetry;
    if (o.ready_fd >= 0)
        fcntl(o.ready_fd, F_SETFD, FD_CLOEXEC);
    int code = jr_supervisor_run(cfg, o.ready_fd);
    jr_config_free(cfg);
    return code;
}
