package dev.fovea;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/**
 * One run of an {@link AttentionCall} or {@link AttentionBackward} in a flight recording. Off
 * unless a recording asks for it.
 */
@Name("dev.fovea.Attention")
@Label("Attention")
@Category("Fovea")
@Description("One run of scaled dot-product attention")
@Enabled(false)
@StackTrace(false)
final class AttentionEvent extends Event {
  /** To ask whether events are wanted without making one. */
  static final AttentionEvent PROBE = new AttentionEvent();

  @Label("Device")
  String device;

  @Label("Backward")
  boolean backward;

  @Label("Kernel")
  String kernel;

  @Label("Element Type")
  String dtype;

  @Label("Mask")
  String mask;

  @Label("Packed")
  boolean packed;

  @Label("Batch")
  long batch;

  @Label("Query Length")
  long queryLength;

  @Label("Key Length")
  long keyLength;

  @Label("Query Heads")
  long queryHeads;

  @Label("Key Heads")
  long keyHeads;

  @Label("Head Dimension")
  long headDim;

  @Label("Value Head Dimension")
  long valueHeadDim;

  @Label("Workers")
  @Description("Threads that may have taken part")
  int workers;

  @Label("FLOPs")
  @Description("Upper bound, from the longest lengths")
  double flops;
}
