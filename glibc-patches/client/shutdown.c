/* shutdown.  SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

/* Whoever of this program, or the other end of a pair, sleeps on the ring
   sees that it ended; who sees the end of input also that of output.  */
static void
mark (struct jr_sock *s, uint32_t state, int how)
{
  struct jr_dir d;
  if (how != SHUT_RD && __jr_dir_tx (s, state, &d) == 0)
    {
      set_bits (&d.r->flags, (uint32_t) JR_RING_FIN);
      if (d.peer_watched != NULL)
	__jr_tx_published (s, &d);
    }
  if (how != SHUT_WR && __jr_dir_rx (s, state, &d) == 0)
    {
      set_bits (&d.r->cflags, (uint32_t) JR_RING_FIN);
      add_fetch (&d.r->data_seq, 1);
      jr_sys_futex_wake (&d.r->data_seq, INT32_MAX, false);
    }
}

static int
do_shutdown (int fd, int how)
{
  struct jr_sock s;
  uint32_t state = 0;
  struct jr_abi_cmd_shutdown_req req = { .how = how };
  struct jr_abi_cmd_shutdown_rep rep;
  int r = __jr_sock_get (fd, &s);
  while (r == 0 && (r = jr_state (&s, &state)) == -JR_EMOVED)
    r = __jr_sock_follow (&s);
  if (r < 0)
    return r;
  if (how < SHUT_RD || how > SHUT_RDWR)
    return -EINVAL;
  if (!(state & (JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_LISTENING))
      || (state & JR_ST_DEAD) || jr_gone (s.seg) || __jr_is_over (&s, state))
    {
      /* Linux notes it all the same: readers wake up, poll tells of it.  */
      mark (&s, state, how);
      if (ld_relaxed (&s.slot->watch) != 0 && !jr_gone (s.seg))
	__jr_command (&s, JR_CMD_SHUTDOWN, &req, sizeof req, &rep, sizeof rep);
      if (__jr_shadow (&s) >= 0)
	JR_SYSCALL (shutdown, __jr_shadow (&s), how);
      return -ENOTCONN;
    }
  if (!(state & JR_ST_LISTENING))
    mark (&s, state, how);
  /* For the kernel the connection is then what it was to become.  */
  if (state & JR_ST_CONNECTED)
    clear_bits (&s.slot->app_flags, (uint32_t) JR_AF_CONNECT_ASYNC);
  r = __jr_command (&s, JR_CMD_SHUTDOWN, &req, sizeof req, &rep, sizeof rep);
  if (r == 0 && (state & JR_ST_LISTENING) && how != SHUT_WR)
    __jr_shadow_end (&s, how);
  return r;
}

int
__jr_shutdown (int fd, int how)
{
  return jr_ret (do_shutdown (fd, how));
}
