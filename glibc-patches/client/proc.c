/* What the kernel tells of a process: a socket's link in /proc/self/fd is that
   of a socket, new sockets belong to the network namespace that the thread is
   in, and locking all memory does not mean the empty address space of rings.
   SPDX-License-Identifier: LGPL-2.1-or-later  */

#include "jr-internal.h"

#ifndef SO_NETNS_COOKIE
# define SO_NETNS_COOKIE 71
#endif

static int
number_at (const char *p)
{
  int fd = 0;
  if (*p < '0' || *p > '9')
    return -1;
  for (; *p >= '0' && *p <= '9' && fd < 100000000; p++)
    fd = fd * 10 + (*p - '0');
  return *p == '\0' ? fd : -1;
}

/* The number at the end of a path that names an fd of this process; -1.  */
static int
fd_of_path (const char *path)
{
  static const char *const folders[] = { "/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/" };
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    if (strncmp (path, folders[i], strlen (folders[i])) == 0)
      return number_at (path + strlen (folders[i]));
  if (strncmp (path, "/proc/", 6) != 0)
    return -1;
  int pid = 0;
  const char *p = path + 6;
  for (; *p >= '0' && *p <= '9' && pid < 100000000; p++)
    pid = pid * 10 + (*p - '0');
  return pid == jr_sys_pid () && strncmp (p, "/fd/", 4) == 0 ? number_at (p + 4) : -1;
}

/* Of a path that is followed to the end: a socket's fd; -1.  */
static int
socket_at (const char *path)
{
  static const char *const links[] = { "/dev/stdin", "/dev/stdout", "/dev/stderr" };
  if (path[0] != '/' || (path[1] != 'p' && path[1] != 'd'))
    return -1;
  int fd = fd_of_path (path);
  for (int i = 0; i < 3; i++)
    if (strcmp (path, links[i]) == 0)
      fd = i;
  return fd >= 0 && jr_ent_kind (__jr_fd_entry (fd)) == JR_FD_SOCKET ? fd : -1;
}

void
__jr_path_stat_fix (const char *path, struct stat *st)
{
  int fd = __jr_any () ? socket_at (path) : -1;
  if (fd >= 0)
    __jr_fstat_fix (fd, st);
}

void
__jr_path_statx_fix (const char *path, struct statx *sx)
{
  int fd = __jr_any () ? socket_at (path) : -1;
  if (fd >= 0)
    __jr_statx_fix (fd, sx);
}

bool
__jr_opens_socket (const char *path, int flags)
{
  if (likely_ (!__jr_any ()) || (flags & (O_PATH | O_NOFOLLOW | O_EXCL | O_DIRECTORY))
      || !jr_can_read (path, 1))
    return false;
  return socket_at (path) >= 0;
}

ssize_t
__jr_fd_readlink (const char *path, char *buf, size_t len)
{
  char text[40] = "socket:[", digits[24];
  struct stat st;
  int fd = __jr_any () && jr_can_read (path, 1) && path[0] == '/' ? fd_of_path (path) : -1;
  if (fd < 0 || len == 0 || jr_ent_kind (__jr_fd_entry (fd)) != JR_FD_SOCKET
      || jr_sys_fstat (fd, &st) < 0)
    return 0;
  size_t n = strlen (text);
  int k = 0;
  do
    digits[k++] = '0' + st.st_ino % 10;
  while ((st.st_ino /= 10) > 0);
  while (k > 0)
    text[n++] = digits[--k];
  text[n++] = ']';
  n = n < len ? n : len;
  memcpy (buf, text, n);
  return n;
}

/* ---- network namespaces ---- */

static uint32_t ns_changed;	/* atomic; some thread has been elsewhere */

void
__jr_ns_changed (void)
{
  st_relaxed (&ns_changed, 1);
}

static uint64_t
ns_of (int fd)
{
  uint64_t cookie = 0;
  socklen_t len = sizeof cookie;
  if (jr_sys_getsockopt (fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
    return 0;
  return cookie;
}

/* The control socket is where the process attached, in the service's.  */
bool
__jr_at_home (void)
{
  if (likely_ (!ld_relaxed (&ns_changed)))
    return true;
  int fd = jr_sys_socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  uint64_t here = ns_of (fd);
  jr_sys_close (fd);
  return here != 0 && here == ns_of (ld_relaxed (&__jr.ctl_fd));
}

/* ---- mlockall ---- */

#ifndef MCL_ONFAULT
# define MCL_ONFAULT 4
#endif

static bool
is_shared_with_service (uintptr_t start)
{
  for (uint32_t i = 0; i < ld_relaxed (&__jr.nsegs); i++)
    {
      struct jr_seg *seg = ld_acquire (&__jr.seg[i]);
      if (seg == NULL)
	continue;
      if (start - (uintptr_t) seg->base < seg->size)
	return true;
      for (uint32_t k = 0; k < JR_SEG_SLOTS; k++)
	{
	  struct jr_abi_pair *pair = ld_acquire (&seg->ls[k].pair);
	  if (pair != NULL && start - (uintptr_t) pair < JR_PAIR_SIZE)
	    return true;
	}
    }
  return false;
}

/* One "start-end perms ..." line of /proc/self/maps at a time.  */
struct maps
{
  int fd;
  size_t at, n;
  char buf[1024];
};

static int
next_char (struct maps *m)
{
  if (m->at == m->n)
    {
      int r = jr_sys_read (m->fd, m->buf, sizeof m->buf);
      if (r <= 0)
	return -1;
      m->at = 0;
      m->n = r;
    }
  return (unsigned char) m->buf[m->at++];
}

static bool
next_mapping (struct maps *m, uintptr_t *start, uintptr_t *end)
{
  uintptr_t *v = start;
  int c;
  *start = *end = 0;
  while ((c = next_char (m)) >= 0 && c != ' ')
    if (c == '-')
      v = end;
    else
      *v = *v << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
  while (c >= 0 && c != '\n')
    c = next_char (m);
  return c >= 0;
}

static void
lock_others (void)
{
  struct maps m = { .fd = JR_SYSCALL (openat, AT_FDCWD, "/proc/self/maps",
				      O_RDONLY | O_CLOEXEC) };
  uintptr_t start, end;
  if (m.fd < 0)
    return;
  while (next_mapping (&m, &start, &end))
    if (!is_shared_with_service (start))
      JR_SYSCALL (mlock, start, end - start);
  jr_sys_close (m.fd);
}

/* The rings' pages are locked as they come.  */
int
__jr_mlockall (int flags)
{
  if (!(flags & MCL_CURRENT) || (flags & MCL_ONFAULT) || ld_relaxed (&__jr.nsegs) == 0)
    return jr_ret (JR_SYSCALL (mlockall, flags));
  int r = JR_SYSCALL (mlockall, flags | MCL_ONFAULT);
  if (r == 0)
    lock_others ();
  if (r == 0 && (flags & MCL_FUTURE))
    r = JR_SYSCALL (mlockall, MCL_FUTURE);
  return jr_ret (r);
}
