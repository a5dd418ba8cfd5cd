package dev.fovea.ffi;

import dev.fovea.ffi.Operand.Dim;
import dev.fovea.ffi.Operand.Size;
import dev.fovea.ffi.Operand.Type;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** {@code fovea_run_{{name}}}{{#passes}}{{#suffix}} and its backward pass{{/suffix}}{{/passes}}. Made by ops/generate. */
public final class Native{{Name}} extends NativeOperation {
  {{#sizes}}
  private static final Size {{NAME}} = new Size("{{name}}", "{{symbol}}", Fovea{{Name}}Spec.{{NAME}}, {{#total}}Fovea{{Name}}Spec.{{TOTAL}}, "{{totalSymbol}}"{{/total}}{{^total}}null, null{{/total}});
  {{/sizes}}

  /** Made by the first run: they need native access, and a library that was loaded says what lacks. */
  private static final class Runs {
    {{#passes}}
    static final MethodHandle {{PASS}} = Handles.run({{count}});
    {{/passes}}
  }

  public static final Native{{Name}} OPERATION = new Native{{Name}}();

  private Native{{Name}}() {
    super(
        "{{name}}",
        {{id}},
        Fovea{{Name}}Spec.LAYOUT,
        List.of({{#sizes}}{{NAME}}{{comma}}{{/sizes}}),
        {{#pages}}new Operand.Pages(Fovea{{Name}}Spec.{{LIST}}, {{COUNT}}, {{ROWS}}, {{OF}}){{/pages}}{{^pages}}null{{/pages}},
        {{#passes}}
        List.of(
            {{#operands}}
            new Operand("{{name}}", Type.{{TYPE}}, {{written}}, {{#COUNTS}}{{COUNTS}}{{/COUNTS}}{{^COUNTS}}null{{/COUNTS}}, {{#PRESENT}}Fovea{{Name}}Spec.{{PRESENT}}{{/PRESENT}}{{^PRESENT}}null{{/PRESENT}}, {{#STRIDES}}Fovea{{Name}}Spec.{{STRIDES}}{{/STRIDES}}{{^STRIDES}}null{{/STRIDES}}, List.of({{#dims}}{{#SIZE}}new Dim({{SIZE}}, {{sums}}){{/SIZE}}{{^SIZE}}Dim.ONE{{/SIZE}}{{comma}}{{/dims}}){{places}}){{comma}}
            {{/operands}}
        ){{comma}}{{^comma}});{{/comma}}
        {{/passes}}
  }
  {{#passes}}

  @Override
  int {{pass}}(
      MemorySegment function,
      MemorySegment plan,
      MemorySegment call,
      MemorySegment[] o,
      MemorySegment workspace,
      MemorySegment scratch,
      MemorySegment stream)
      throws Throwable {
    return (int) Runs.{{PASS}}.invokeExact(function, plan, call, {{#operands}}o[{{index}}], {{/operands}}workspace, scratch, stream);
  }
  {{/passes}}
}
