/* A line of the trace while it is put together: shared by trace.c, which has
   what is printed, and trace_calls.c, which has the calls.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#ifndef _JR_TRACE_LINE_H
#define _JR_TRACE_LINE_H 1

#include "jr-internal.h"
#include "jr-trace.h"

#define JR_LINE_BYTES 1024

struct jr_line
{
  int fd;			/* whose route is told; -1: none */
  bool was_ours;		/* before the call */
  const struct sockaddr *to;	/* what a change of route was for */
  socklen_t to_len;
  int saved_errno;
  size_t n, args;
  char buf[JR_LINE_BYTES + 128];
};

struct jr_names
{
  uint32_t value;
  const char *name;
};

/* "NAME(": before the call is made.  */
extern void __jr_line_begin (struct jr_line *l, const char *name, int fd) JR_HIDDEN;
/* Notes errno; what is printed after it may look at the results.  */
extern void __jr_line_made (struct jr_line *l) JR_HIDDEN;
/* ") = RESULT" with the route and its reason; writes the line.  */
extern void __jr_line_end (struct jr_line *l, long result) JR_HIDDEN;

/* Arguments; each but the first of a call with ", " in front.  */
extern void __jr_arg_int (struct jr_line *l, long v) JR_HIDDEN;
extern void __jr_arg_ptr (struct jr_line *l, const void *p) JR_HIDDEN;
extern void __jr_arg_bytes (struct jr_line *l, const void *p, ssize_t n) JR_HIDDEN;
extern void __jr_arg_addr (struct jr_line *l, const struct sockaddr *sa,
			   socklen_t len) JR_HIDDEN;
extern void __jr_arg_addr_out (struct jr_line *l, const struct sockaddr *sa,
			       const socklen_t *len, bool good) JR_HIDDEN;
/* One of the names; several, as bits; "0" if there are none.  */
extern void __jr_arg_name (struct jr_line *l, uint32_t v,
			   const struct jr_names *names) JR_HIDDEN;
extern void __jr_arg_bits (struct jr_line *l, uint32_t v,
			   const struct jr_names *names) JR_HIDDEN;
extern void __jr_arg_iov (struct jr_line *l, const struct iovec *iov, size_t n,
			  ssize_t bytes) JR_HIDDEN;
extern void __jr_arg_time (struct jr_line *l, const struct timespec *ts) JR_HIDDEN;
extern void __jr_arg_text (struct jr_line *l, const char *text) JR_HIDDEN;
/* Without a comma; TEXT may be NULL, and V is left out then.  */
extern void __jr_put_text (struct jr_line *l, const char *text) JR_HIDDEN;
extern void __jr_put_int (struct jr_line *l, long v) JR_HIDDEN;
extern void __jr_put_bits (struct jr_line *l, uint32_t v,
			   const struct jr_names *names) JR_HIDDEN;
/* Memory of the caller's, which may not be there: false.  */
extern bool __jr_peek (void *dst, const void *src, size_t n) JR_HIDDEN;

/* Why the kernel has what goes to an address.  */
extern const char *__jr_route_why (const struct jr_abi_addr *to, bool stream) JR_HIDDEN;

#endif /* jr-trace-line.h */
