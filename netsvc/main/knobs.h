/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_dir/sysctl.sock (SOCK_SEQPACKET): a client sends one request, gets one JSON document and then end of file. An
 * empty request asks for every knob, NAME for one, NAME=VALUE sets it, which root and the service's own user may.
 */
#ifndef JR_MAIN_KNOBS_H
#define JR_MAIN_KNOBS_H

struct jr_knobs;
struct jr_worker;

/* NULL: errno says why. */
struct jr_knobs *jr_knobs_new(struct jr_worker *w);
void jr_knobs_free(struct jr_knobs *k);
/* Readable when jr_knobs_service() has something to do. */
int jr_knobs_epoll_fd(const struct jr_knobs *k);
void jr_knobs_service(struct jr_knobs *k);

#endif
