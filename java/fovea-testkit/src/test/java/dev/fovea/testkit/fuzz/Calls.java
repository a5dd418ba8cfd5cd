package dev.fovea.testkit.fuzz;

import dev.fovea.Attention;
import dev.fovea.AttentionBackward;
import dev.fovea.AttentionCall;
import dev.fovea.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * What has been bound to a call and to a backward pass, so that a new object can be given the same.
 */
final class Calls {

  private Calls() {}

  static final class Forward {
    final Attention attention;
    final AttentionCall call;
    final Tensor query;
    final Tensor key;
    final Tensor value;
    Tensor bias;
    Tensor mask;
    Tensor slopes;
    Tensor sinks;
    Tensor queryLengths;
    Tensor keyLengths;
    Tensor offsetsQ;
    Tensor offsetsK;
    long longestQuery;
    long longestKey;
    Tensor out;
    Tensor lse;
    Tensor weights;
    Long seed;
    int offset;
    int parallelism = 2;
    Tensor lastOut; // of the last run since operands were bound; null if there is none

    Forward(Attention attention, Tensor query, Tensor key, Tensor value) {
      this.attention = attention;
      this.query = query;
      this.key = key;
      this.value = value;
      this.call = attention.call(query, key, value);
    }

    List<Tensor> written() {
      return Stream.of(out, lse, weights).filter(Objects::nonNull).toList();
    }

    /** Another call of the same. */
    AttentionCall again() {
      AttentionCall other = attention.call(query, key, value);
      other.bias(bias).mask(mask).alibiSlopes(slopes).sinks(sinks);
      other.queryLengths(queryLengths).keyLengths(keyLengths);
      if (offsetsQ != null) {
        other.cuSeqlens(offsetsQ, offsetsK, longestQuery, longestKey);
      }
      if (seed != null) {
        other.dropoutSeed(seed, offset);
      }
      return other.out(out).lse(lse).weights(weights).parallelism(1);
    }
  }

  static final class Backward {
    final Forward of;
    final AttentionBackward pass;
    Tensor dout;
    final Tensor[] gradients = new Tensor[6]; // in the order of set()
    boolean accumulate;

    Backward(Forward of, Tensor dout) {
      this.of = of;
      this.dout = dout;
      this.pass = of.call.gradients(dout);
    }

    static void set(AttentionBackward pass, int which, Tensor gradient) {
      switch (which) {
        case 0 -> pass.dquery(gradient);
        case 1 -> pass.dkey(gradient);
        case 2 -> pass.dvalue(gradient);
        case 3 -> pass.dbias(gradient);
        case 4 -> pass.dalibiSlopes(gradient);
        default -> pass.dsinks(gradient);
      }
    }

    List<Tensor> written() {
      return new ArrayList<>(Arrays.stream(gradients).filter(Objects::nonNull).toList());
    }

    /** The same pass of another call, after a forward elsewhere. */
    AttentionBackward again() {
      AttentionBackward other = of.again().gradients(dout, of.lastOut, of.lse);
      for (int i = 0; i < gradients.length; i++) {
        set(other, i, gradients[i]);
      }
      return other.accumulate(accumulate);
    }
  }

  /** Every element of tensors, as bits. */
  static List<byte[]> bits(List<Tensor> tensors) {
    return tensors.stream().map(Elements::read).toList();
  }

  static void restore(List<Tensor> tensors, List<byte[]> bits) {
    for (int i = 0; i < bits.size(); i++) {
      Elements.write(tensors.get(i), bits.get(i));
    }
  }
}
