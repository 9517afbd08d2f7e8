/* A plugin that asks as fast as it can: `asks` evaluations of one design an iteration. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char header[1 << 20];
static double payload[1 << 12];
static uint32_t numbers;

static void get(void *to, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t n = read(0, (char *)to + done, size - done);
        if (n <= 0)
            exit(0);
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
    static char frame[1 << 16];
    uint32_t length = (uint32_t)(strlen(text) + 7) / 8 * 8;
    memcpy(frame, &length, 4);
    memcpy(frame + 4, &count, 4);
    memset(frame + 8, ' ', length);
    memcpy(frame + 8, text, strlen(text));
    memcpy(frame + 8 + length, values, 8 * (size_t)count);
    if (write(1, frame, 8 + length + 8 * (size_t)count) < 0)
        exit(1);
}

int main(void) {
    receive();
    send("{\"type\":\"hello\",\"protocol\":1}", 0, 0);
    for (;;) {
        receive();
        if (strstr(header, "\"type\":\"describe\"")) {
            send("{\"type\":\"manifest\",\"manifest\":{\"name\":\"asks\",\"version\":\"1\","
                 "\"solvers\":[{\"name\":\"asks\"}]}}", 0, 0);
            continue;
        }
        uint32_t n = numbers / 3;
        static double design[1 << 12];
        memcpy(design, payload + 2 * n, 8 * (size_t)n);
        for (int stop = 0; !stop;) {
            for (int i = 0; i < 1000 && !stop; i++) {
                send("{\"type\":\"evaluate\",\"count\":1}", design, n);
                receive();
                stop = strstr(header, "\"stop\":true") != 0;
            }
            if (!stop) {
                send("{\"type\":\"report\"}", design, n);
                receive();
                stop = strstr(header, "\"stop\":true") != 0;
            }
        }
        send("{\"type\":\"result\",\"status\":\"stopped\"}", 0, 0);
    }
}
