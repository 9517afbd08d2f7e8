/* The binary interface between isacopt and a shared library: plain C types, shared by both sides.
 *
 * A library exports one function, isacopt_plugin, that returns a pointer to a constant Plugin. The rules:
 *
 * - Every table begins with its size. Tables only ever grow at their end, so a field is there where the size reaches
 *   over it. ABI_VERSION changes only where that cannot be kept.
 * - Text is UTF-8 with a length and no final zero. Arrays are a pointer and a length. What is passed in stays valid
 *   during the call alone; each side frees its own memory.
 * - No panic, exception or long jump may leave a function, on either side.
 * - A handle is used by one thread at a time, but several handles may be used at once; metric_value is
 *   called on one handle by several threads at once.
 * - Designs are flat arrays in the design's own order: blocks in order, row-major, complex numbers interleaved, a
 *   Hermitian matrix as its diagonal and then its upper triangle row by row, as (re, im) times the square root of 2. */
/* Written from plugins/sdk/src/abi.rs: change that file, and this one is written anew. */

#ifndef ISACOPT_PLUGIN_H
#define ISACOPT_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define ISACOPT_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define ISACOPT_EXPORT __attribute__((visibility("default")))
#else
#define ISACOPT_EXPORT
#endif

/* The version of this interface. */
#define ISACOPT_ABI_VERSION 1u

/* How a call ended: one of the constants below. */
typedef int32_t isacopt_status;

/* It did what it says. */
#define ISACOPT_OK 0

/* It failed; the message says why. The run is recorded as failed. */
#define ISACOPT_FAILED 1

/* The parameters or the problem are not what it takes; the message says what is. */
#define ISACOPT_REFUSED 2

/* The problem does not offer this. */
#define ISACOPT_UNSUPPORTED 3

/* The host wants the call to end: return soon, with what there is. */
#define ISACOPT_STOP 4

/* The library panicked and caught it; the handle will only be ended. */
#define ISACOPT_PANICKED 5

/* An iteration was done; there may be more. */
#define ISACOPT_STEP_ADVANCED 0u

/* The method's own test says that it is done. */
#define ISACOPT_STEP_CONVERGED 1u

/* No further step is possible; the message says why. */
#define ISACOPT_STEP_STUCK 2u

/* The iterates left the finite numbers; the message says how. */
#define ISACOPT_STEP_DIVERGED 3u

/* The best design is proven optimal, by a bound that it attains. */
#define ISACOPT_STEP_OPTIMAL 4u

/* Real, 0 or more. */
#define ISACOPT_DOMAIN_NON_NEGATIVE 0u

/* Real, between two limits a coordinate. */
#define ISACOPT_DOMAIN_BOX 1u

/* A continuous phase in radians. */
#define ISACOPT_DOMAIN_PHASE 2u

/* A discrete phase: whole numbers from 0 to levels - 1. */
#define ISACOPT_DOMAIN_LEVEL 3u

/* Complex, as (re, im). */
#define ISACOPT_DOMAIN_COMPLEX 4u

/* Complex Hermitian positive semidefinite. */
#define ISACOPT_DOMAIN_HERMITIAN 5u

/* A phase in radians on the grid 2 pi level / levels. */
#define ISACOPT_DOMAIN_QUANTIZED_PHASE 6u

/* UTF-8 text, without a final zero. */
typedef struct isacopt_text {
    /* Its first byte; may be null where there is none. */
    const uint8_t *data;
    /* Its length in bytes. */
    size_t length;
} isacopt_text;

/* Room of the caller's for a message of the callee's, in UTF-8; what does not fit is left out. */
typedef struct isacopt_message {
    /* Where to write. */
    uint8_t *data;
    /* How many bytes fit. */
    size_t capacity;
    /* How many bytes were written. */
    size_t length;
} isacopt_message;

/* How good a design is. */
typedef struct isacopt_judged {
    /* The objective, in its own direction. */
    double objective;
    /* The largest relative amount by which a limit is missed; 0 where all hold. */
    double violation;
} isacopt_judged;

/* One named part of a design. */
typedef struct isacopt_block {
    /* Its name. */
    isacopt_text name;
    /* The index of its first coordinate. */
    size_t offset;
    /* The number of its coordinates. */
    size_t coordinates;
    /* Its shape. */
    const size_t *shape;
    /* The number of entries of the shape; 0 for a scalar. */
    size_t dimensions;
    /* What its entries may be: one of the DOMAIN constants. */
    uint32_t domain;
    /* The number of levels of a discrete phase, else 0. */
    uint32_t levels;
    /* Whether the problem fixes it (1), so that its coordinates may not change. */
    uint32_t fixed;
    /* Nothing yet. */
    uint32_t reserved;
    /* A typical magnitude of an entry. */
    double scale;
    /* The lower limits of a box, one a coordinate, else null. */
    const double *lower;
    /* The upper limits of a box, one a coordinate, else null. */
    const double *upper;
} isacopt_block;

/* A problem as a solver meets it. */
typedef struct isacopt_problem {
    /* The size of this table in bytes. */
    size_t struct_size;
    /* The size of one block's table in bytes: the step from one to the next. */
    size_t block_size;
    /* The blocks of a design, in order. */
    const isacopt_block *blocks;
    /* The number of blocks. */
    size_t block_count;
    /* The number of coordinates of a design. */
    size_t coordinates;
    /* The indices of the coordinates that a solver may change, ascending. */
    const size_t *free;
    /* How many they are. */
    size_t free_count;
    /* The number of limits: the rows of the gradient's Jacobian. */
    size_t limits;
    /* 1 where more of the objective is better, -1 where less is. */
    int32_t direction;
    /* Whether the host can repair designs (1). */
    uint32_t repairs;
    /* Whether the host gives gradients (1). */
    uint32_t gradients;
    /* Nothing yet. */
    uint32_t reserved;
    /* All of that, and the objective and limits by name, as a JSON object: the problem of the wire protocol. */
    isacopt_text description;
} isacopt_problem;

/* What the host does for a solver. Valid, with all that it points to, during the call that it is passed to.
 *
 * Each function takes user first. Designs have the problem's number of coordinates. */
typedef struct isacopt_host {
    /* The size of this table in bytes. */
    size_t struct_size;
    /* The host's own pointer, to be handed back. */
    void *user;
    /* The problem. */
    const isacopt_problem *problem;
    /* Judges a design. STOP where the run is over. */
    isacopt_status (*evaluate)(void *user, const double *design, size_t length, isacopt_judged *out);
    /* Judges count designs that stand one behind the other, length numbers in all. */
    isacopt_status (*evaluate_batch)(void *user, const double *designs, size_t length, size_t count, isacopt_judged *out);
    /* Judges a design, and writes by how much it misses each limit (relative to it, negative where it is held), one
     * number a limit. */
    isacopt_status (*evaluate_limits)(void *user, const double *design, size_t length, isacopt_judged *out, double *misses);
    /* Objective and its gradient, the limits as values <= 0 (relative violations) and their Jacobian, row-major.
     * values and jacobian may be null. UNSUPPORTED where the problem gives none. */
    isacopt_status (*gradient)(void *user, const double *design, size_t length, double *objective, double *gradient, double *values, double *jacobian);
    /* Moves a design to a feasible one near it; moved becomes 1 where it could. UNSUPPORTED where the problem
     * does not offer it. */
    isacopt_status (*repair)(void *user, double *design, size_t length, uint32_t *moved);
    /* Moves each coordinate into its domain, and writes the fixed blocks. */
    isacopt_status (*project)(void *user, double *design, size_t length);
    /* Writes a random design, in its domains, with the fixed blocks in place. Draws from the run's random stream. */
    isacopt_status (*random_design)(void *user, double *design, size_t length);
    /* Writes numbers from the run's random stream, uniform in [0, 1). */
    isacopt_status (*uniform)(void *user, double *out, size_t count);
    /* Writes standard normal numbers from the run's random stream. */
    isacopt_status (*normal)(void *user, double *out, size_t count);
    /* Reports an iteration of a long step: this is the best design so far. It is judged and kept where it is. */
    isacopt_status (*report)(void *user, const double *design, size_t length);
    /* 1 where the step should end: the budget is spent, the time is over, or someone cancelled. */
    uint32_t (*should_stop)(void *user);
    /* Evaluations that may still be spent in this step; the largest number where there is no limit. */
    uint64_t (*evaluations_left)(void *user);
    /* Reads one number of the parameters by its name (true is 1, false 0), so that C needs no JSON reader.
     * UNSUPPORTED, and out as it was, where it was not given. */
    isacopt_status (*parameter)(void *user, isacopt_text name, double *out);
    /* Why the last of these calls failed; valid until the next of them. */
    isacopt_text (*last_error)(void *user);
} isacopt_host;

/* How a step went. */
typedef struct isacopt_step_report {
    /* One of the STEP constants. */
    uint32_t outcome;
    /* Whether bound holds (1). */
    uint32_t has_bound;
    /* A bound on the objective of every feasible design. */
    double bound;
} isacopt_step_report;

/* One metric of the system, as a plugin's metric asked for it. */
typedef struct isacopt_metric {
    /* Its name. */
    isacopt_text id;
    /* The number of its values. */
    size_t length;
} isacopt_metric;

/* A system model as a metric meets it. */
typedef struct isacopt_system {
    /* The size of this table in bytes. */
    size_t struct_size;
    /* The size of one block's table in bytes: the step from one to the next. */
    size_t block_size;
    /* The blocks of a design, in order. */
    const isacopt_block *blocks;
    /* The number of blocks. */
    size_t block_count;
    /* The number of coordinates of a design. */
    size_t coordinates;
    /* The size of one metric's table in bytes: the step from one to the next. */
    size_t metric_size;
    /* The metrics that are needed, in the order in which the manifest names them. */
    const isacopt_metric *metrics;
    /* The number of metrics. */
    size_t metric_count;
} isacopt_system;

/* What a library offers: returned by its function isacopt_plugin, constant while the program runs.
 *
 * index counts the solvers (or metrics) of the manifest. Functions of what is not offered may be null. */
typedef struct isacopt_plugin_table {
    /* The interface's version that the library was built for. */
    uint32_t abi_version;
    /* Nothing yet. */
    uint32_t reserved;
    /* The size of this table in bytes. */
    size_t struct_size;
    /* The manifest: a JSON object that names the solvers and metrics, and describes their parameters; see
     * docs/plugin-protocol.md. */
    isacopt_text manifest;
    /* Sets out on a problem with parameters (a JSON object), at a start or (null) wherever it likes. Gives a handle. */
    isacopt_status (*solver_begin)(uint32_t index, const isacopt_host *host, isacopt_text parameters, const double *start, size_t length, void **run, isacopt_message *message);
    /* One iteration. */
    isacopt_status (*solver_step)(void *run, const isacopt_host *host, isacopt_step_report *report, isacopt_message *message);
    /* Writes the best design so far. Called after solver_begin and after each step. */
    isacopt_status (*solver_best)(void *run, double *design, size_t length, isacopt_message *message);
    /* Frees a handle of solver_begin. */
    void (*solver_end)(void *run);
    /* Prepares a metric for a system. Gives a handle. */
    isacopt_status (*metric_begin)(uint32_t index, const isacopt_system *system, void **metric, isacopt_message *message);
    /* The metric's values for a design. values holds the needed metrics one behind the other. */
    isacopt_status (*metric_value)(const void *metric, const double *design, size_t length, const double *values, size_t value_count, double *out, size_t out_count, isacopt_message *message);
    /* Frees a handle of metric_begin. */
    void (*metric_end)(void *metric);
} isacopt_plugin_table;

/* What a library exports, under this very name. */
ISACOPT_EXPORT const isacopt_plugin_table *isacopt_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
