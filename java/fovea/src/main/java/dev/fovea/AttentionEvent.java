package dev.fovea;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/**
 * One run of an {@link OperationCall} or {@link OperationBackward} in a flight recording. Off
 * unless a recording asks for it.
 */
@Name("dev.fovea.Attention")
@Label("Attention")
@Category("Fovea")
@Description("One run of an attention mechanism, or of its backward pass")
@Enabled(false)
@StackTrace(false)
final class AttentionEvent extends Event {
  /** To ask whether events are wanted without making one. */
  static final AttentionEvent PROBE = new AttentionEvent();

  @Label("Device")
  String device;

  @Label("Operation")
  String operation;

  @Label("Backward")
  boolean backward;

  @Label("Kernel")
  String kernel;

  @Label("Element Type")
  String dtype;

  @Label("Mask")
  String mask;

  @Label("Shape")
  @Description("Sizes by their symbols: B 2, Sq 128, ...")
  String shape;

  @Label("Workers")
  @Description("Threads that may have taken part")
  int workers;

  @Label("FLOPs")
  @Description("Upper bound, from the longest lengths")
  double flops;
}
