package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.NativeOperations;
import dev.fovea.ffi.NativeSpatial;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.FeatureSurvey.Answer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

class FeatureSurveyTest {

  static final List<NativeOperation> OPERATIONS = NativeOperations.ALL;

  @ParameterizedTest
  @FieldSource("OPERATIONS")
  void theCpuPlansEveryFeatureOfTheDeclaration(NativeOperation operation) {
    FeatureSurvey survey = new FeatureSurvey(operation, Device.cpu());
    for (Answer answer : survey.answers()) {
      // What only a forward pass has is declared for both, of which one says so.
      String noPart =
          answer.feature() == null
              ? "queries of float8_e4m3 have no backward pass"
              : answer.feature() + " has no part in a backward pass";
      boolean ofForward = answer.pass() == Pass.BACKWARD && noPart.equals(answer.refusal());
      assertTrue(answer.isPlanned() || ofForward, answer::toString);
    }
    String features = " " + String.join(" ", survey.features()).replace(",", "") + " ";
    Stream.concat(
            operation.operands(Abi.FORWARD).stream(), operation.operands(Abi.BACKWARD).stream())
        .filter(it -> it.present() != null)
        .map(Operand::name)
        .forEach(it -> assertTrue(features.contains(" " + it + " "), it + " in" + features));
  }

  @Test
  void queriesHaveATypeOfTheirOwn() {
    assertEquals(FeatureSurvey.TYPES, FeatureSurvey.types(NativeSpatial.OPERATION));
    List<Answer> answers = new FeatureSurvey(NativeAttention.OPERATION, Device.cpu()).answers();
    Map<String, String> planned = new HashMap<>();
    for (Answer answer : answers) {
      if (answer.dtype() == DType.FLOAT8_E4M3 && answer.isPlanned()) {
        planned.put(String.valueOf(answer.feature()), answer.pass().toString());
      }
    }
    assertEquals(Map.of("null", "forward", "query_scales", "forward"), planned);
    assertTrue(
        answers.stream()
            .filter(it -> it.dtype() != DType.FLOAT8_E4M3)
            .noneMatch(it -> "query_scales".equals(it.feature())));
  }

  /** The ranges that the declarations give: those of the CPU. */
  @Test
  void limitsAreTheLargestSizesThatArePlanned() {
    Map<String, Long> attention = limits(NativeAttention.OPERATION);
    assertEquals(Map.of("head_dim", 576L, "value_head_dim", 512L), attention);
    assertEquals(
        Map.of("channels", 65536L, "maps", 2L, "kernel_size", 31L),
        limits(NativeSpatial.OPERATION));
  }

  private static Map<String, Long> limits(NativeOperation operation) {
    Map<String, Long> limits = new HashMap<>();
    for (FeatureSurvey.Limit it : new FeatureSurvey(operation, Device.cpu()).limits()) {
      Long other = limits.put(it.size(), it.most());
      assertTrue(other == null || other == it.most(), it::toString);
    }
    return limits;
  }

  @ParameterizedTest
  @FieldSource("OPERATIONS")
  void aDeviceWithoutKernelsSaysSo(NativeOperation operation) {
    MemorySegment info = FoveaDeviceInfo.allocate(Arena.ofAuto());
    info.copyFrom(Devices.backend(Device.cpu()).info());
    FoveaDeviceInfo.KIND.set(info, Abi.DEVICE_CUDA); // which libfovea_cpu has no kernels for
    FakeBackend backend = new FakeBackend(Devices.backend(Device.cpu()).library(), info);
    FeatureSurvey survey = new FeatureSurvey(operation, backend);
    List<Answer> answers = survey.answers();
    int types = FeatureSurvey.types(operation).size();
    assertEquals(types * Pass.of(operation).size(), answers.size());
    for (Answer answer : answers) {
      assertFalse(answer.isPlanned(), answer::toString);
      assertFalse(answer.refusal().isBlank(), answer::toString);
    }
    assertEquals(List.of(), survey.limits());
  }

  @ParameterizedTest
  @FieldSource("OPERATIONS")
  void whatOneFeatureNeedsIsNamed(NativeOperation operation) {
    List<Answer> answers = new FeatureSurvey(operation, Device.cpu()).answers();
    for (Answer answer : answers) {
      boolean pair = operation == NativeAttention.OPERATION && "spans".equals(answer.feature());
      assertTrue(!pair || answer.with().equals(List.of("span_ramp")), answer::toString);
      assertTrue(answer.with().stream().noneMatch(it -> it.equals(answer.feature())));
    }
  }
}
