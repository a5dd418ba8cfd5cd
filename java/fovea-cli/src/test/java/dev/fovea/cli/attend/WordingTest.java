package dev.fovea.cli.attend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.ffi.Operand;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WordingTest {

  private final Wording wording =
      new Wording()
          .with("--query", Path.of("q.npy"))
          .with("--key-lengths", Path.of("n.npy"))
          .with("--cu-seqlens-q", Path.of("c.npy"))
          .with("--alibi-slopes", null)
          .with("--scale");

  @BeforeEach
  void nameSizes() {
    List<Operand> operands = Mechanism.ATTENTION.operands();
    for (String file : List.of("q.npy", "k.npy", "v.npy")) {
      wording.withSizes(operands.get("qkv".indexOf(file.charAt(0))), Path.of(file));
    }
  }

  private void says(String expected, String message) {
    assertEquals(expected, wording.of(message));
  }

  @Test
  void operandsAreTheirOptionsAndFiles() {
    says("--query q.npy has shape [2], expected 4", "query has shape [2], expected 4");
    says("--key-lengths n.npy has shape [2]", "keyLengths has shape [2]");
    says("--cu-seqlens-q c.npy has shape [2]", "cuSeqlensQ has shape [2]");
    says("not from --cu-seqlens-q c.npy", "not from cuSeqlensQ");
    says("--scale is NaN, expected a number", "scale is NaN, expected a number");
    says("--query q.npy is float16, expected float32", "query is FLOAT16, expected FLOAT32");
  }

  @Test
  void elementsSayOfWhat() {
    says("element 0 of --key-lengths n.npy is 99", "key_lengths[0] is 99");
    says("element 1, 2 of --query q.npy is 3", "query[1, 2] is 3");
  }

  @Test
  void sizesAreThoseOfFiles() {
    says(
        "the last dimension of --query q.npy is 600, expected 1 to 576",
        "head_dim is 600, expected 1 to 576");
    says(
        "the number of heads of --query q.npy is 4, expected a multiple of the number of heads of"
            + " --key k.npy, 3",
        "query_heads is 4, expected a multiple of key_heads, 3");
    says("at least the last dimension of --value v.npy", "at least valueHeadDim");
    says("the batch of --query q.npy is 3", "batch is 3");
  }

  @Test
  void otherWordsStay() {
    says("a query of keys has no heads", "a query of keys has no heads");
    says("alibiSlopes has shape [2]", "alibiSlopes has shape [2]");
    assertEquals(null, wording.of(null));
  }

  @Test
  void refusalsKeepTheirKind() {
    assertThrows(
        UnsupportedOperationException.class,
        () ->
            wording.say(
                () -> {
                  throw new UnsupportedOperationException("head_dim");
                }));
    IllegalArgumentException refusal =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                wording.say(
                    () -> {
                      throw new IllegalArgumentException("key_lengths is 3");
                    }));
    assertEquals("--key-lengths n.npy is 3", refusal.getMessage());
  }
}
