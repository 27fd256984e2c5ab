/* Tracing of routed calls, as strace prints them, with the route and why.
   SPDX-License-Identifier: LGPL-2.1-or-later

   JOYRIDE_TRACE=PID:FILE in the environment, which `joyride run --trace'
   sets, asks for it; PID 0: of every process, FILE "-": on standard error.
   A line is put together on the stack and written at once.  */

#include "jr-trace-line.h"

#include <stdlib.h>
#include <sys/uio.h>

int __jr_tracing;
static int only_pid;		/* 0: all */

/* ---- on and off ---- */

static int
parse (const char *how, int *pid)
{
  int v = 0;
  while (*how >= '0' && *how <= '9')
    v = v * 10 + *how++ - '0';
  *pid = v;
  if (*how++ != ':')
    return -EINVAL;
  if (strcmp (how, "-") == 0)
    return jr_sys_fcntl (STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  return JR_SYSCALL (openat, AT_FDCWD, how, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

void
__jr_trace_start (const char *how)
{
  int fd = parse (how, &only_pid);
  if (fd < 0)
    return;
  if (only_pid != 0 && only_pid != jr_sys_pid ())
    {
      jr_sys_close (fd);
      return;
    }
  /* As high as will do: the usual place is known when a service is.  */
  if (ld_relaxed (&__jr.fd_base) == 0)
    st_relaxed (&__jr.fd_base, 768);
  fd = __jr_fd_internal (fd, JR_USE_TRACE, 0, 0);
  if (fd >= 0)
    st_release (&__jr_tracing, fd + 1);
}

void
__jr_trace_forked (void)
{
  int fd = __jr_tracing - 1;
  if (fd < 0 || only_pid == 0)
    return;
  st_relaxed (&__jr_tracing, 0);
  __jr_fd_internal_close (fd);
}

void
__jr_trace_moved (int fd)
{
  if (__jr_tracing != 0)
    st_release (&__jr_tracing, fd + 1);
}

/* ---- the caller's memory ---- */

bool
__jr_peek (void *dst, const void *src, size_t n)
{
  struct iovec to = { dst, n }, from = { (void *) src, n };
  if (n == 0)
    return true;
  return JR_SYSCALL (process_vm_readv, jr_sys_pid (), &to, 1, &from, 1, 0) == (long) n;
}

/* ---- text ---- */

static void
put (struct jr_line *l, const char *text, size_t n)
{
  if (n > JR_LINE_BYTES - l->n)
    n = JR_LINE_BYTES - l->n;
  memcpy (l->buf + l->n, text, n);
  l->n += n;
}

void
__jr_put_text (struct jr_line *l, const char *text)
{
  put (l, text, strlen (text));
}

static void
put_number (struct jr_line *l, unsigned long v, unsigned int base)
{
  char digits[24];
  size_t at = sizeof digits;
  do
    digits[--at] = "0123456789abcdef"[v % base];
  while ((v /= base) != 0);
  if (base == 16)
    __jr_put_text (l, "0x");
  put (l, digits + at, sizeof digits - at);
}

void
__jr_put_int (struct jr_line *l, long v)
{
  if (v < 0)
    put (l, "-", 1);
  put_number (l, v < 0 ? -(unsigned long) v : (unsigned long) v, 10);
}

static void
comma (struct jr_line *l)
{
  if (l->args++ > 0)
    put (l, ", ", 2);
}

void
__jr_arg_text (struct jr_line *l, const char *text)
{
  comma (l);
  __jr_put_text (l, text);
}

void
__jr_arg_int (struct jr_line *l, long v)
{
  comma (l);
  __jr_put_int (l, v);
}

void
__jr_arg_ptr (struct jr_line *l, const void *p)
{
  comma (l);
  if (p == NULL)
    put (l, "NULL", 4);
  else
    put_number (l, (uintptr_t) p, 16);
}

void
__jr_arg_name (struct jr_line *l, uint32_t v, const struct jr_names *names)
{
  comma (l);
  for (; names->name != NULL; names++)
    if (names->value == v)
      {
	__jr_put_text (l, names->name);
	return;
      }
  __jr_put_int (l, (int32_t) v);
}

void
__jr_put_bits (struct jr_line *l, uint32_t v, const struct jr_names *names)
{
  const char *between = "";
  if (v == 0)
    put (l, "0", 1);
  for (; names->name != NULL; names++)
    if (names->value != 0 && (v & names->value) == names->value)
      {
	__jr_put_text (l, between);
	__jr_put_text (l, names->name);
	between = "|";
	v &= ~names->value;
      }
  if (v != 0)
    {
      __jr_put_text (l, between);
      put_number (l, v, 16);
    }
}

void
__jr_arg_bits (struct jr_line *l, uint32_t v, const struct jr_names *names)
{
  comma (l);
  __jr_put_bits (l, v, names);
}

#define SHOWN 32

static void
put_bytes (struct jr_line *l, const void *p, size_t n)
{
  unsigned char some[SHOWN];
  size_t m = n < SHOWN ? n : SHOWN;
  if (!__jr_peek (some, p, m))
    {
      put_number (l, (uintptr_t) p, 16);
      return;
    }
  put (l, "\"", 1);
  for (size_t i = 0; i < m; i++)
    {
      char c = some[i];
      const char *escapes = "n\nr\rt\t\"\"\\\\";
      while (*escapes != '\0' && escapes[1] != c)
	escapes += 2;
      if (*escapes != '\0')
	put (l, (char[]) { '\\', *escapes }, 2);
      else if (some[i] >= ' ' && some[i] < 127)
	put (l, &c, 1);
      else
	put (l, (char[]) { '\\', 'x', "0123456789abcdef"[some[i] >> 4],
			   "0123456789abcdef"[some[i] & 15] }, 4);
    }
  put (l, "\"...", n > m ? 4 : 1);
}

void
__jr_arg_bytes (struct jr_line *l, const void *p, ssize_t n)
{
  if (n < 0 || p == NULL)
    __jr_arg_ptr (l, p);
  else
    {
      comma (l);
      put_bytes (l, p, n);
    }
}

void
__jr_arg_iov (struct jr_line *l, const struct iovec *iov, size_t n, ssize_t bytes)
{
  struct iovec some[4];
  size_t m = n < 4 ? n : 4;
  if (!__jr_peek (some, iov, m * sizeof *iov))
    {
      __jr_arg_ptr (l, iov);
      return;
    }
  __jr_arg_text (l, "[");
  for (size_t i = 0; i < m; i++)
    {
      size_t here = bytes < 0 ? 0 : (size_t) bytes < some[i].iov_len
					? (size_t) bytes : some[i].iov_len;
      __jr_put_text (l, i > 0 ? ", {" : "{");
      put_bytes (l, some[i].iov_base, here);
      __jr_put_text (l, ", ");
      put_number (l, some[i].iov_len, 10);
      put (l, "}", 1);
      if (bytes > 0)
	bytes -= here;
    }
  __jr_put_text (l, n > m ? ", ...]" : "]");
}

void
__jr_arg_time (struct jr_line *l, const struct timespec *ts)
{
  struct timespec t;
  if (ts == NULL || !__jr_peek (&t, ts, sizeof t))
    {
      __jr_arg_ptr (l, ts);
      return;
    }
  __jr_arg_text (l, "{");
  __jr_put_int (l, t.tv_sec);
  put (l, ", ", 2);
  __jr_put_int (l, t.tv_nsec);
  put (l, "}", 1);
}

/* ---- addresses ---- */

static void
put_ip6 (struct jr_line *l, const uint8_t *a)
{
  for (int i = 0; i < 16; i += 2)
    {
      unsigned int v = a[i] << 8 | a[i + 1];
      char digits[4];
      int n = 0;
      do
	digits[n++] = "0123456789abcdef"[v & 15];
      while ((v >>= 4) != 0);
      if (i > 0)
	put (l, ":", 1);
      while (n-- > 0)
	put (l, &digits[n], 1);
    }
}

void
__jr_arg_addr (struct jr_line *l, const struct sockaddr *sa, socklen_t len)
{
  union
  {
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } u;
  memset (&u, 0, sizeof u);
  if (sa == NULL || !__jr_peek (&u, sa, len < sizeof u ? len : sizeof u))
    {
      __jr_arg_ptr (l, sa);
      return;
    }
  if (u.in.sin_family != AF_INET && u.in.sin_family != AF_INET6)
    {
      __jr_arg_text (l, "{sa_family=");
      __jr_put_int (l, u.in.sin_family);
      put (l, "}", 1);
      return;
    }
  bool six = u.in.sin_family == AF_INET6;
  uint8_t *a = (uint8_t *) &u.in.sin_addr;
  __jr_arg_text (l, six ? "{AF_INET6 [" : "{AF_INET ");
  if (six)
    put_ip6 (l, u.in6.sin6_addr.s6_addr);
  for (int i = 0; i < 4 && !six; i++)
    {
      if (i > 0)
	put (l, ".", 1);
      put_number (l, a[i], 10);
    }
  __jr_put_text (l, six ? "]:" : ":");
  put_number (l, __builtin_bswap16 (u.in.sin_port), 10);
  put (l, "}", 1);
}

void
__jr_arg_addr_out (struct jr_line *l, const struct sockaddr *sa, const socklen_t *len,
		   bool good)
{
  socklen_t n = 0;
  if (!good || sa == NULL || len == NULL || !__jr_peek (&n, len, sizeof n))
    {
      __jr_arg_ptr (l, sa);
      __jr_arg_ptr (l, len);
      return;
    }
  __jr_arg_addr (l, sa, n);
  __jr_arg_text (l, "[");
  put_number (l, n, 10);
  put (l, "]", 1);
}

/* ---- a line ---- */

void
__jr_line_begin (struct jr_line *l, const char *name, int fd)
{
  l->fd = fd;
  l->was_ours = jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_SOCKET;
  l->to = NULL;
  l->to_len = 0;
  l->n = l->args = 0;
  if (only_pid == 0)
    {
      __jr_put_text (l, "[pid ");
      put_number (l, jr_sys_pid (), 10);
      __jr_put_text (l, "] ");
    }
  __jr_put_text (l, name);
  put (l, "(", 1);
}

void
__jr_line_made (struct jr_line *l)
{
  l->saved_errno = errno;
}

/* It was ours and is not any more: what for?  */
static const char *
why_kernel (struct jr_line *l)
{
  struct sockaddr_storage ss;
  struct jr_abi_addr a;
  struct jr_sock s = { .fd = -1 };
  struct jr_abi_slot slot = { .type = SOCK_STREAM };
  memset (&ss, 0, sizeof ss);
  if (!__jr_wanted ())
    return "JOYRIDE=off";
  if (!ld_relaxed (&__jr.attached))
    return "no service";
  if (l->to == NULL || l->to_len > sizeof ss || !__jr_peek (&ss, l->to, l->to_len))
    return "the service said so";
  slot.family = ss.ss_family;
  s.slot = &slot;
  if (__jr_addr_get (&s, (struct sockaddr *) &ss, l->to_len, &a) < 0)
    return "the service said so";
  return __jr_route_why (&a, true);
}

static void
put_route (struct jr_line *l)
{
  struct jr_sock s;
  uint32_t state;
  enum jr_fd_kind kind = jr_ent_kind (__jr_fd_entry (l->fd));
  if (l->fd < 0 || kind == JR_FD_EPOLL || kind == JR_FD_INTERNAL)
    return;
  if (kind == JR_FD_NONE)
    {
      __jr_put_text (l, " <kernel");
      if (l->was_ours)
	{
	  __jr_put_text (l, ": ");
	  __jr_put_text (l, why_kernel (l));
	}
      put (l, ">", 1);
      return;
    }
  if (__jr_sock_get (l->fd, &s) < 0 || jr_state (&s, &state) < 0)
    return;
  if (jr_gone (s.seg))
    __jr_put_text (l, " <service: gone>");
  else if (state & JR_ST_PAIR)
    __jr_put_text (l, " <pair: a program on this host listens there>");
  else if (ld_relaxed (&s.ls->shadow_fd) >= 0)
    __jr_put_text (l, " <service and kernel: any address>");
  else if (state & (JR_ST_BOUND | JR_ST_CONNECTED | JR_ST_CONNECTING | JR_ST_LISTENING | JR_ST_DEAD))
    __jr_put_text (l, " <service>");
  else
    __jr_put_text (l, " <not decided>");
}

void
__jr_line_end (struct jr_line *l, long result)
{
  int fd = __jr_tracing - 1;
  __jr_put_text (l, ") = ");
  __jr_put_int (l, result);
  if (result < 0)
    {
      const char *name = jr_sys_errname (l->saved_errno);
      const char *text = jr_sys_errdesc (l->saved_errno);
      put (l, " ", 1);
      __jr_put_text (l, name != NULL ? name : "?");
      __jr_put_text (l, " (");
      __jr_put_text (l, text != NULL ? text : "?");
      put (l, ")", 1);
    }
  put_route (l);
  if (l->n == JR_LINE_BYTES)
    {
      memcpy (l->buf + l->n, "...", 3);
      l->n += 3;
    }
  l->buf[l->n++] = '\n';
  /* A child of vfork runs in this memory: only its parent was asked for.  */
  if (fd >= 0 && (only_pid == 0 || only_pid == jr_sys_pid ()))
    jr_sys_write (fd, l->buf, l->n);
  errno = l->saved_errno;
}
