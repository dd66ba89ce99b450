// A Vision Transformer's arithmetic for a web page: everything that is done n times.
//
// Which layer comes after which is told in vit.js; here are its five verbs: linear,
// layer_norm, gelu, attention, gather. Vectors of four floats become WebAssembly's SIMD.
// Sums are never reordered by the compiler, so that every browser gets the same digits.
//
// Letters: T rows (tokens), D columns in, M columns out. All arrays are row-major.

#include <wasm_simd128.h>

typedef float f4 __attribute__((vector_size(16)));
typedef float f4u __attribute__((vector_size(16), aligned(4))); // not on 16 bytes
typedef int i4 __attribute__((vector_size(16)));

#define EXPORT(name) __attribute__((export_name(#name))) name
#define WIDE 8  // columns of a panel: two vectors
#define TALL 4  // rows that share a panel's columns: their sums fill the registers

static float panel[8192 * WIDE];  // D ≤ 8192 rows of WIDE columns of the right matrix
extern unsigned char __heap_base;

// Where memory is free for what JavaScript brings.
unsigned EXPORT(heap_base)(void) { return (unsigned)(unsigned long)&__heap_base; }

// ---- y (T, WIDE) = scale · x (T, D) @ panel (D, WIDE) + bias, `count` columns are kept

static inline __attribute__((always_inline)) void rows(
    int n, const float *x, int x_step, int D, const float *scale, const float *bias,
    float *y, int y_step, int count) {
  f4 sum[TALL][2];
  for (int r = 0; r < n; r++) sum[r][0] = sum[r][1] = (f4){0, 0, 0, 0};
  for (int d = 0; d < D; d++) {
    f4 left = *(f4 *)(panel + d * WIDE), right = *(f4 *)(panel + d * WIDE + 4);
    for (int r = 0; r < n; r++) {
      float value = x[r * x_step + d];
      f4 all = {value, value, value, value};
      sum[r][0] += all * left;
      sum[r][1] += all * right;
    }
  }
  for (int r = 0; r < n; r++)
    for (int c = 0; c < count; c++)
      y[r * y_step + c] = sum[r][c / 4][c % 4] * scale[c] + bias[c];
}

static void times_panel(int T, const float *x, int x_step, int D, const float *scale,
                        const float *bias, float *y, int y_step, int count) {
  int t = 0;
  for (; t + TALL <= T; t += TALL)
    rows(TALL, x + t * x_step, x_step, D, scale, bias, y + t * y_step, y_step, count);
  for (; t < T; t++)
    rows(1, x + t * x_step, x_step, D, scale, bias, y + t * y_step, y_step, count);
}

static const float ones[WIDE] = {1, 1, 1, 1, 1, 1, 1, 1}, zeros[WIDE];

static int least(int a, int b) { return a < b ? a : b; }

// y (T, M) = x (T, D) @ wᵀ + bias, w (M, D) in bytes with a scale for each of its rows.
void EXPORT(linear)(int T, int D, int M, const float *x, const signed char *w,
                    const float *scale, const float *bias, float *y) {
  for (int m = 0; m < M; m += WIDE) {
    int count = least(WIDE, M - m);
    for (int c = 0; c < WIDE; c++)
      for (int d = 0; d < D; d++)
        panel[d * WIDE + c] = c < count ? w[(m + c) * D + d] : 0;
    float some[2][WIDE] = {0};
    for (int c = 0; c < count; c++) some[0][c] = scale[m + c], some[1][c] = bias[m + c];
    times_panel(T, x, D, D, some[0], some[1], y + m, M, count);
  }
}

// y (T, D): every row of x with mean 0 and variance 1, then scaled and moved.
void EXPORT(layer_norm)(int T, int D, const float *x, const float *scale,
                        const float *bias, float epsilon, float *y) {
  for (int t = 0; t < T; t++, x += D, y += D) {
    double mean = 0, variance = 0;
    for (int d = 0; d < D; d++) mean += x[d];
    mean /= D;
    for (int d = 0; d < D; d++) variance += (x[d] - mean) * (x[d] - mean);
    float norm = 1 / __builtin_sqrt(variance / D + epsilon);
    for (int d = 0; d < D; d++) y[d] = (float)(x[d] - mean) * norm * scale[d] + bias[d];
  }
}

// e^x as 2^n · e^r with |r| ≤ ln 2 / 2; r's series has an error below 1e-8.
static inline f4 exponential(f4 x) {
  x = wasm_f32x4_max(x, wasm_f32x4_splat(-87));
  f4 n = wasm_f32x4_nearest(x * 1.44269504f);
  f4 r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  f4 sum = r * (1 / 5040.f) + 1 / 720.f;
  sum = sum * r + 1 / 120.f;
  sum = sum * r + 1 / 24.f;
  sum = sum * r + 1 / 6.f;
  sum = sum * r + 0.5f;
  sum = sum * r + 1;
  sum = sum * r + 1;
  i4 power = (__builtin_convertvector(n, i4) + 127) << 23;
  return sum * (f4)power;
}

// x ← x · Φ(x), in place, `count` a multiple of four. Φ by Abramowitz & Stegun 7.1.26.
void EXPORT(gelu)(int count, float *x) {
  for (int i = 0; i < count; i += 4) {
    f4 value = *(f4 *)(x + i), z = value * 0.70710678f, size = wasm_f32x4_abs(z);
    f4 t = 1 / (1 + 0.3275911f * size);
    f4 tail = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f +
              t * (-1.453152027f + t * 1.061405429f)))) * exponential(-size * size);
    *(f4 *)(x + i) = 0.5f * value * (f4)wasm_v128_bitselect(2 - tail, tail, z >= 0);
  }
}

// rows (R, T): softmax of one head's queries from token `first` on, over all T keys.
// q and k lie in one array, `step` floats from token to token, `dim` floats wide.
void EXPORT(attention)(int first, int R, int T, int dim, int step, const float *q,
                       const float *k, float *out) {
  float scale[WIDE];
  for (int c = 0; c < WIDE; c++) scale[c] = 1 / __builtin_sqrtf(dim);
  for (int t = 0; t < T; t += WIDE) {
    int count = least(WIDE, T - t);
    for (int c = 0; c < WIDE; c++)
      for (int d = 0; d < dim; d++)
        panel[d * WIDE + c] = c < count ? k[(t + c) * step + d] : 0;
    times_panel(R, q + first * step, step, dim, scale, zeros, out + t, T, count);
  }
  for (int r = 0; r < R; r++, out += T) {
    float most = out[0], sum = 0;
    for (int t = 1; t < T; t++) most = out[t] > most ? out[t] : most;
    int t = 0;
    for (; t + 4 <= T; t += 4) *(f4u *)(out + t) = exponential(*(f4u *)(out + t) - most);
    for (; t < T; t++) out[t] = exponential((f4){out[t] - most, 0, 0, 0})[0];
    for (t = 0; t < T; t++) sum += out[t];
    for (t = 0; t < T; t++) out[t] /= sum;
  }
}

// y (R, M) = rows (R, T) @ v (T, M): what a head gathers. Steps as above.
void EXPORT(gather)(int R, int T, int M, const float *a, const float *v, int v_step,
                    float *y, int y_step) {
  for (int m = 0; m < M; m += WIDE) {
    int count = least(WIDE, M - m);
    for (int t = 0; t < T; t++)
      for (int c = 0; c < WIDE; c++)
        panel[t * WIDE + c] = c < count ? v[t * v_step + m + c] : 0;
    times_panel(R, a, T, T, ones, zeros, y + m, y_step, count);
  }
}
