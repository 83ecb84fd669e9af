/* The floor: epoll, recv and send, nothing else. It reads no request line and no field; it counts
   the ends of heads, skips the body length it was told, and answers each with the same bytes.
   Usage: floor PORT RESPONSE_BODY_BYTES REQUEST_BODY_BYTES CLOSE(0|1) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, READ = 65536, BATCH = 65536 };

struct client {
    int fd;
    int matched;    /* how many bytes of CR LF CR LF have just been seen */
    int reading;    /* the end of a head was seen, its body not yet */
    int blocked;    /* waits for EPOLLOUT */
    size_t skip;    /* bytes of request body still to come */
    size_t owed;    /* answers not completely sent */
    size_t offset;  /* bytes of the first of them that are sent */
};

static char *answers; /* `copies` times the same answer */
static size_t answer_size, copies, body_size;
static int poller, closing;

static void die(const char *what) { perror(what); exit(1); }

static void prepare(size_t size)
{
    char head[256];
    int n = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 03:42:07 GMT\r\nServer: floor\r\n"
        "Content-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n",
        size, closing ? "Connection: close\r\n" : "");
    answer_size = (size_t)n + size;
    copies = answer_size < BATCH ? BATCH / answer_size : 1;
    answers = malloc(copies * answer_size);
    if (!answers) die("malloc");
    for (size_t i = 0; i < copies; i++) {
        memcpy(answers + i * answer_size, head, (size_t)n);
        memset(answers + i * answer_size + n, 'x', size);
    }
}

static void drop(struct client *c) { close(c->fd); free(c); }

static void watch(struct client *c, int operation, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) die("epoll_ctl");
}

/* Count the requests that end in these bytes. */
static void count(struct client *c, const char *p, const char *end)
{
    while (p < end || (c->reading && !c->skip)) {
        if (c->reading) {
            size_t here = (size_t)(end - p) < c->skip ? (size_t)(end - p) : c->skip;
            p += here;
            c->skip -= here;
            if (c->skip) return;
            c->reading = 0;
            c->owed++;
            continue;
        }
        if (!c->matched && !(p = memchr(p, '\r', (size_t)(end - p)))) return;
        char byte = *p++;
        if (byte == "\r\n\r\n"[c->matched]) c->matched++;
        else c->matched = byte == '\r';
        if (c->matched == 4) { c->matched = 0; c->reading = 1; c->skip = body_size; }
    }
}

/* Send what is owed; 0 when the client is gone. */
static int flush(struct client *c)
{
    while (c->owed) {
        size_t batch = c->owed < copies ? c->owed : copies;
        size_t length = batch * answer_size - c->offset;
        ssize_t sent = send(c->fd, answers + c->offset, length, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) return 0;
            if (!c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLOUT);
            c->blocked = 1;
            return 1;
        }
        size_t total = c->offset + (size_t)sent;
        c->owed -= total / answer_size;
        c->offset = total % answer_size;
    }
    if (c->blocked) watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->blocked = 0;
    return !closing;
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void serve(struct client *c)
{
    static char buffer[READ];
    if (!c->blocked) {
        ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) drop(c);
            return;
        }
        count(c, buffer, buffer + n);
        if (!c->owed) return;
    }
    if (!flush(c)) drop(c);
}

static int bind_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 2048)) die("bind");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 5) { fputs("usage: floor PORT RESPONSE_BODY REQUEST_BODY CLOSE\n", stderr); return 2; }
    closing = atoi(argv[4]);
    body_size = (size_t)atol(argv[3]);
    prepare((size_t)atol(argv[2]));
    int listener = bind_to(atoi(argv[1]));
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(poller, ready, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr) serve(ready[i].data.ptr);
            else accept_all(listener);
        }
    }
}
