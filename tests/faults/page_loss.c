/* Makes a later power cut possible: every write to a watched file first saves what it replaces, and a sync forgets
   what was saved. Putting the saved bytes back after a kill leaves the files as a disk has them that lost every page
   which was never synced. Watched are the files below PAGE_LOSS_WATCH; what is saved goes to PAGE_LOSS_UNDO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS_MAX 4096

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int undo_of[FDS_MAX]; /* 0: not looked at, -1: not watched, else the file that takes what is saved, plus 1 */

static int watched(int fd) {
    char link[64], path[4096], name[4352];
    struct stat it;
    const char *watch = getenv("PAGE_LOSS_WATCH"), *undo = getenv("PAGE_LOSS_UNDO");
    if (!watch || !undo || fd < 0 || fd >= FDS_MAX) return -1;
    if (undo_of[fd]) return undo_of[fd] > 0 ? undo_of[fd] - 1 : -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    undo_of[fd] = -1;
    if (length <= 0) return -1;
    path[length] = 0;
    size_t end = strlen(path);
    /* The index of the log-ahead file is memory that is made anew; locks hold nothing. */
    if (strncmp(path, watch, strlen(watch)) || (end > 4 && !strcmp(path + end - 4, "-shm"))) return -1;
    if (fstat(fd, &it) || !S_ISREG(it.st_mode)) return -1;
    snprintf(name, sizeof name, "%s/%s", undo, strrchr(path, '/') + 1);
    int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) abort();
    undo_of[fd] = file + 1;
    return file;
}

static void save(int fd, off_t offset, size_t count) {
    struct stat it;
    int file = watched(fd);
    if (file < 0) return;
    if (fstat(fd, &it)) abort();
    size_t kept = offset >= it.st_size ? 0 : (size_t)(it.st_size - offset) < count ? (size_t)(it.st_size - offset) : count;
    int64_t *head = malloc(24 + kept);
    head[0] = offset, head[1] = (int64_t)kept, head[2] = it.st_size;
    if (kept && pread(fd, head + 3, kept, offset) != (ssize_t)kept) abort();
    if (write(file, head, 24 + kept) != (ssize_t)(24 + kept)) abort();
    free(head);
}

static void forget(int fd) {
    int file = watched(fd);
    if (file >= 0 && ftruncate(file, 0)) abort();
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define LOCKED(work) do { pthread_mutex_lock(&turn); work; pthread_mutex_unlock(&turn); } while (0)

ssize_t pwrite64(int fd, const void *from, size_t count, off64_t offset) {
    REAL(pwrite64);
    ssize_t done;
    LOCKED({ save(fd, offset, count); done = real(fd, from, count, offset); });
    return done;
}

ssize_t pwrite(int fd, const void *from, size_t count, off_t offset) { return pwrite64(fd, from, count, offset); }

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    struct stat it;
    int done;
    LOCKED({
        if (watched(fd) >= 0 && !fstat(fd, &it) && length < it.st_size) save(fd, length, (size_t)(it.st_size - length));
        done = real(fd, length);
    });
    return done;
}

/* The disk itself need not be asked: nothing but the process dies here. */
int fdatasync(int fd) {
    LOCKED(forget(fd));
    return 0;
}

int fsync(int fd) { return fdatasync(fd); }

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FDS_MAX && undo_of[fd]) LOCKED({
        if (undo_of[fd] > 0) real(undo_of[fd] - 1);
        undo_of[fd] = 0;
    });
    return real(fd);
}
