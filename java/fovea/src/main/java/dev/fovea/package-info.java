/**
 * Fused attention for the JVM.
 *
 * <p>An {@link dev.fovea.Attention} says what to compute and knows no shapes. {@link
 * dev.fovea.Tensor}s are views of off-heap memory; a {@link dev.fovea.Scope} owns the memory it
 * allocates; a {@link dev.fovea.Device} is where it lies. {@link dev.fovea.Attention#forward} does
 * everything in one call:
 *
 * {@snippet :
 * Attention attention = Attention.builder().causal().build();
 * try (Scope scope = Scope.open()) {
 *   Tensor query = scope.allocate(DType.FLOAT32, 2, 128, 8, 64); // [B, S, H, D]
 *   Tensor key = scope.allocate(DType.FLOAT32, 2, 128, 2, 64);
 *   Tensor value = scope.allocate(DType.FLOAT32, 2, 128, 2, 64);
 *   Tensor out = attention.forward(scope, query, key, value);
 * }
 * }
 *
 * An {@link dev.fovea.AttentionCall} binds operands once and runs many times without touching the
 * Java heap; its {@link dev.fovea.AttentionBackward} gives the gradients of its last run.
 *
 * <p>On a device with streams, calls are queued and return; whoever reads a result waits for it.
 * {@link dev.fovea.Device#stream} is what they are queued in unless {@link
 * dev.fovea.AttentionCall#stream} names another {@link dev.fovea.Stream}, which may be somebody
 * else's; a {@link dev.fovea.Graph} repeats what was queued.
 *
 * <p>Errors, everywhere: a bad argument is an {@link IllegalArgumentException} that names it, a
 * combination that a device has no kernel for an {@link UnsupportedOperationException}, a closed
 * scope or arena an {@link IllegalStateException}, a failure of library or device a {@link
 * dev.fovea.FoveaException}.
 */
package dev.fovea;
