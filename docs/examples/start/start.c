/* A server to begin with, at stage 1: it serves one visitor at a time. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HEAD = 64 << 10, MAX_INPUT = 256 << 10 }; /* bytes */
static char input[MAX_INPUT + 1];
static double slow; /* how many seconds GET /sleep takes */

/* Reads a request to its end. Returns the length of its head, or of what has come of it. */
static size_t read_request(int visitor) {
    size_t length = 0, head = 0, whole = MAX_HEAD + 1;
    for (ssize_t n = 1; length < whole && n > 0; ) {
        n = read(visitor, input + length, whole - length);
        for (ssize_t i = 0; i < n; i++) if (!input[length + i]) input[length + i] = '?'; /* no end of a string */
        if (n > 0) length += n;
        input[length] = 0;
        char *end = strstr(input, "\r\n\r\n"), *field;
        if (head || !end) continue;
        head = end + 4 - input;
        field = strcasestr(input, "\r\nContent-Length:");
        long body = field && field < end ? strtol(field + 17, NULL, 10) : 0;
        whole = body > 0 && head + body < MAX_INPUT ? head + body : body > 0 ? MAX_INPUT : head;
    }
    return head ? head : length;
}

/* Answers one request. The caller closes the connection. */
static void handle(int visitor) {
    char method[16], path[256], reply[512], *status = "404 Not Found", *page = "<h1>Oops!</h1>";
    int minor;
    size_t head = read_request(visitor);
    if (head == 0) return;
    if (head > MAX_HEAD) status = "431 Request Header Fields Too Large";
    else if (sscanf(input, "%15s %255s HTTP/1.%d", method, path, &minor) != 3) status = "400 Bad Request";
    else if (!strcmp(method, "GET") && (!strcmp(path, "/") || !strcmp(path, "/sleep"))) {
        if (!strcmp(path, "/sleep")) usleep(slow * 1e6);
        status = "200 OK", page = "<h1>Hello!</h1>";
    }
    int n = snprintf(reply, sizeof reply, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n%s", status, strlen(page), page);
    if (write(visitor, reply, n) < 0) return; /* the visitor has left */
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: %s PORT SECONDS\n", argv[0]), 2;
    slow = atof(argv[2]);
    signal(SIGPIPE, SIG_IGN); /* a visitor may leave at any time */
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&addr, sizeof addr) || listen(listener, 128)) return perror("bind"), 1;
    for (;;) {
        int visitor = accept(listener, NULL, NULL);
        if (visitor < 0) { sleep(1); continue; } /* no file descriptor is left; one will be */
        handle(visitor);
        close(visitor);
    }
}
