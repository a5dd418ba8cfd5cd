/**
 * Attention weights as PNG: a {@link dev.fovea.pictures.Heatmap} of queries by keys, or of target
 * tokens by source tokens, and an {@link dev.fovea.pictures.ImageOverlay} of patches on their
 * image.
 *
 * {@snippet :
 * attention.call(query, key, value).weights(weights).out(out).run();
 * byte[] png = Heatmap.of(weights.select(0, 0).select(0, head)).title("Layer 3").png();
 * }
 *
 * <p>Colours get darker as weights grow, and have one hue: they keep their order in a grey print
 * and for readers who confuse colours. NaN is drawn in stripes. They need fonts, which a machine
 * without a display may lack: the packages fontconfig and fonts-dejavu-core.
 */
package dev.fovea.pictures;
