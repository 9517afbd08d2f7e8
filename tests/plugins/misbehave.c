/* A plugin that misbehaves in the way that its file's name says. It knows just enough of the wire protocol to get there. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char header[1 << 21];
static double payload[1 << 16];
static uint32_t numbers;

static void get(void *to, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = read(0, (char *)to + done, size - done);
        if (n <= 0)
            exit(0);
        done += (size_t)n;
    }
}

static void put(const void *from, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = write(1, (const char *)from + done, size - done);
        if (n <= 0)
            exit(4);
        done += (size_t)n;
    }
}

static void receive(void) {
    uint32_t prefix[2];
    get(prefix, 8);
    get(header, prefix[0]);
    header[prefix[0]] = 0;
    numbers = prefix[1];
    get(payload, 8 * (size_t)numbers);
}

static void send(const char *text, const double *values, uint32_t count) {
    char padded[4096];
    uint32_t length = (uint32_t)(strlen(text) + 7) / 8 * 8;
    memset(padded, ' ', sizeof padded);
    memcpy(padded, text, strlen(text));
    uint32_t prefix[2] = {length, count};
    put(prefix, 8);
    put(padded, length);
    put(values, 8 * (size_t)count);
}

static volatile int depth;
static int overflow(int x) {
    char room[4096];
    room[x % 4096] = (char)x;
    depth++;
    return overflow(x + 1) + room[(x + 1) % 4096];
}

static void note_pid(const char *name, int pid) {
    FILE *file = fopen(name, "a");
    if (file) {
        fprintf(file, "%d\n", pid);
        fclose(file);
    }
}

int main(int count, char **arguments) {
    (void)count;
    const char *how = strrchr(arguments[0], '/') ? strrchr(arguments[0], '/') + 1 : arguments[0];
    char pids[4096];
    snprintf(pids, sizeof pids, "%s.pids", arguments[0]);
    note_pid(pids, getpid());
#define IS(word) (strcmp(how, word) == 0)
    if (IS("mute"))
        pause();
    if (IS("gone"))
        return 5;
    receive();
    if (IS("version"))
        send("{\"type\":\"hello\",\"protocol\":99}", 0, 0);
    else
        send("{\"type\":\"hello\",\"protocol\":1,\"features\":[]}", 0, 0);
    for (;;) {
        receive();
        if (strstr(header, "\"type\":\"describe\"")) {
            if (IS("schema"))
                send("{\"type\":\"manifest\",\"manifest\":{\"name\":\"bad\",\"version\":\"1\",\"solvers\":[{\"name\":\"bad\","
                     "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"flaot\"}}}}]}}", 0, 0);
            else if (IS("nothing"))
                send("{\"type\":\"manifest\",\"manifest\":{\"name\":\"bad\",\"version\":\"1\"}}", 0, 0);
            else {
                char text[512];
                snprintf(text, sizeof text, "{\"type\":\"manifest\",\"manifest\":{\"name\":\"bad\",\"version\":\"1\","
                         "\"solvers\":[{\"name\":\"%s\"}]}}", how);
                send(text, 0, 0);
            }
            continue;
        }
        uint32_t n = numbers / 3;
        double *start = payload + 2 * n;
        if (IS("loop"))
            for (;;)
                depth++;
        if (IS("overflow"))
            return overflow(1);
        if (IS("abort"))
            abort();
        if (IS("segfault"))
            *(volatile int *)0 = 1;
        if (IS("gigabytes"))
            for (;;) {
                char *block = malloc(16 << 20);
                if (!block) {
                    fprintf(stderr, "there is no memory left\n");
                    return 3;
                }
                memset(block, 1, 16 << 20);
            }
        if (IS("garbage"))
            printf("Hello, I found the optimum!\n"), fflush(stdout);
        if (IS("header"))
            put("\x10\0\0\0\0\0\0\0not a JSON text!", 24);
        if (IS("huge"))
            put("\x08\0\0\0\xff\xff\xff\x7f{}      ", 16);
        if (IS("midframe")) {
            put("\x40\0\0\0\x08\0\0\0{\"type\":\"report\"", 23);
            return 0;
        }
        if (IS("flood"))
            for (;;)
                put("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 64);
        if (IS("deaf"))
            for (;;)
                send("{\"type\":\"alive\"}", 0, 0);
        if (IS("noise")) {
            for (int i = 0; i < 400000; i++)
                fprintf(stderr, "line %d of what nobody wants to read\n", i);
        }
        if (IS("chatty"))
            for (;;) {
                send("{\"type\":\"alive\"}", 0, 0);
                receive();
            }
        if (IS("stubborn")) {
            static double kept[1 << 10];
            memcpy(kept, start, 8 * (size_t)n);
            for (;;) {
                send("{\"type\":\"evaluate\",\"count\":1}", kept, n);
                receive();
            }
        }
        if (IS("nan"))
            start[0] = 0.0 / 0.0;
        if (IS("dimension"))
            send("{\"type\":\"report\",\"bound\":null}", start, n - 1);
        if (IS("evaluate"))
            send("{\"type\":\"evaluate\",\"count\":2}", start, n);
        if (IS("bound"))
            send("{\"type\":\"report\",\"bound\":1e9}", start, n);
        if (IS("unknown"))
            send("{\"type\":\"format_the_disk\"}", 0, 0);
        if (IS("status"))
            send("{\"type\":\"result\",\"status\":\"splendid\"}", 0, 0);
        if (IS("orphan")) {
            int pid = fork();
            if (pid == 0)
                for (;;)
                    pause();
            note_pid(pids, pid);
            return 0;
        }
        send("{\"type\":\"report\",\"bound\":null}", start, n);
        receive();
        send("{\"type\":\"result\",\"status\":\"converged\",\"message\":\"\"}", 0, 0);
    }
}
