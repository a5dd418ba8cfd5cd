/**
 * Cases of the operations over images, {@link dev.fovea.ChannelAttention} and {@link
 * dev.fovea.SpatialAttention}: {@link dev.fovea.testkit.image.CaseGenerator} makes an {@link
 * dev.fovea.testkit.image.ImageCase}, {@link dev.fovea.testkit.image.Operands} its values, {@link
 * dev.fovea.testkit.image.ChannelOracle} or {@link dev.fovea.testkit.image.SpatialOracle} what must
 * come out, and {@link dev.fovea.testkit.OperationRun} runs it.
 */
package dev.fovea.testkit.image;
