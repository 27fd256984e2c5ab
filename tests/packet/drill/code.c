/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Code between %{ and }%: python3, run when the script is over, with the fields of struct tcp_info as variables that
 * have the values of the moment the code stands at.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

struct code {
    struct code *next;
    const struct event *ev;
    bool has_info;
    struct tcp_info info;
};

#define F(name)                                                                                                        \
    {                                                                                                                  \
#name, offsetof(struct tcp_info, name), sizeof(((struct tcp_info *)0)->name)                                   \
    }
static const struct {
    const char *name;
    size_t at, size;
} fields[] = {
    F(tcpi_state),         F(tcpi_ca_state),
    F(tcpi_retransmits),   F(tcpi_probes),
    F(tcpi_backoff),       F(tcpi_options),
    F(tcpi_rto),           F(tcpi_ato),
    F(tcpi_snd_mss),       F(tcpi_rcv_mss),
    F(tcpi_unacked),       F(tcpi_sacked),
    F(tcpi_lost),          F(tcpi_retrans),
    F(tcpi_fackets),       F(tcpi_last_data_sent),
    F(tcpi_last_ack_sent), F(tcpi_last_data_recv),
    F(tcpi_last_ack_recv), F(tcpi_pmtu),
    F(tcpi_rcv_ssthresh),  F(tcpi_rtt),
    F(tcpi_rttvar),        F(tcpi_snd_ssthresh),
    F(tcpi_snd_cwnd),      F(tcpi_advmss),
    F(tcpi_reordering),    F(tcpi_rcv_rtt),
    F(tcpi_rcv_space),     F(tcpi_total_retrans),
    F(tcpi_pacing_rate),   F(tcpi_max_pacing_rate),
    F(tcpi_bytes_acked),   F(tcpi_bytes_received),
    F(tcpi_segs_out),      F(tcpi_segs_in),
    F(tcpi_notsent_bytes), F(tcpi_min_rtt),
    F(tcpi_data_segs_in),  F(tcpi_data_segs_out),
    F(tcpi_delivery_rate), F(tcpi_busy_time),
    F(tcpi_rwnd_limited),  F(tcpi_sndbuf_limited),
    F(tcpi_delivered),     F(tcpi_delivered_ce),
    F(tcpi_bytes_sent),    F(tcpi_bytes_retrans),
    F(tcpi_dsack_dups),    F(tcpi_reord_seen),
    F(tcpi_rcv_ooopack),   F(tcpi_snd_wnd),
};

void code_collect(struct run *r, const struct event *ev)
{
    struct code *c = drill_alloc(sizeof *c), **end = &r->code;
    struct sys sys = {.no = SYS_GETSOCKOPT, .a = IPPROTO_TCP, .b = TCP_INFO, .len = sizeof c->info};

    c->ev = ev;
    if (r->info_fd >= 0) {
        sys.fd = r->fd[r->info_fd];
        r->be->ops->begin(r->be, &sys);
        c->has_info = sys.done && sys.ret == 0;
        memcpy(&c->info, sys.val, sizeof c->info);
    }
    while (*end)
        end = &(*end)->next;
    *end = c;
}

static void write_fields(FILE *to, const struct tcp_info *ti)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint64_t v = 0;
        memcpy(&v, (const char *)ti + fields[i].at, fields[i].size);
        fprintf(to, "%s = %llu\n", fields[i].name, (unsigned long long)v);
    }
    fprintf(to, "tcpi_snd_wscale = %u\ntcpi_rcv_wscale = %u\n", ti->tcpi_snd_wscale, ti->tcpi_rcv_wscale);
}

static void write_bytes(FILE *to, const char *p)
{
    for (; *p; p++)
        fprintf(to, "%d,", (unsigned char)*p);
}

/* Scripts of FreeBSD's are of python2's time, whose print is a statement. */
static void write_source(FILE *to, const char *p)
{
    const bool statement = strncmp(p, "print ", 6) == 0 && p[6 + strspn(p + 6, " ")] != '(';

    write_bytes(to, statement ? "print(" : "");
    write_bytes(to, statement ? p + 6 : p);
    write_bytes(to, statement ? ")" : "");
}

static void write_program(FILE *to, const struct run *r)
{
    static const char names[] =
        "TCP_ESTABLISHED, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT, TCP_CLOSE, "
        "TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING = range(1, 12)\n"
        "TCP_CA_Open, TCP_CA_Disorder, TCP_CA_CWR, TCP_CA_Recovery, TCP_CA_Loss = range(5)\n"
        "TCPI_ESTABLISHED, TCPI_SYN_SENT, TCPI_SYN_RECEIVED, TCPI_FIN_WAIT_1, TCPI_FIN_WAIT_2, TCPI_TIME_WAIT, "
        "TCPI_CLOSED, TCPI_CLOSE_WAIT, TCPI_LAST_ACK, TCPI_LISTEN, TCPI_CLOSING = range(1, 12)\n"
        "TCPI_OPT_TIMESTAMPS, TCPI_OPT_SACK, TCPI_OPT_WSCALE, TCPI_OPT_ECN = 1, 2, 4, 8\n"
        /* fields that only FreeBSD has: may be printed, equal nothing */
        "tcpi_snd_nxt = tcpi_rcv_nxt = tcpi_snd_rexmitpack = tcpi_snd_zerowin = tcpi_toe_tid = None\n";

    fputs(names, to);
    for (const struct code *c = r->code; c; c = c->next) {
        if (c->has_info)
            write_fields(to, &c->info);
        /* compiled on its own, so that a failure tells the script's line */
        fputs("exec(compile(bytes([", to);
        for (int i = 1; i < c->ev->line; i++)
            fputs("10,", to);
        write_source(to, c->ev->text + strspn(c->ev->text, " \t"));
        fprintf(to, "]), '%s', 'exec'))\n", r->s->file);
    }
}

void code_run(struct run *r)
{
    FILE *to;
    int status;

    if (!r->code)
        return;
    fflush(NULL);
    to = popen("python3 -", "w");
    if (!to) {
        run_fail(r, r->code->ev->line, "python3: %s", strerror(errno));
        return;
    }
    write_program(to, r);
    status = pclose(to);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        run_fail(r, r->code->ev->line, "expected the code to pass, got what is told above");
}
