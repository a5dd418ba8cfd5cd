package dev.fovea.testkit.attention;

import dev.fovea.ScoreModifier;

/** Score modifiers of cases. */
public enum Modifier {
  /** ALiBi with slopes that are learnt. */
  ALIBI {
    @Override
    <T> T apply(ModifierArithmetic<T> a, T score) {
      T distance = a.abs(a.minus(a.key(), a.query()));
      return a.minus(score, a.times(a.table(a.number(0)), distance));
    }
  },
  /** A number for each of some distances, the first and the last for those beyond. */
  BUCKETS {
    @Override
    <T> T apply(ModifierArithmetic<T> a, T score) {
      T distance = a.minus(a.key(), a.query());
      T near = a.min(a.max(distance, a.number(-9)), a.number(9.5));
      return a.plus(score, a.table(a.plus(near, a.number(7.5))));
    }
  },
  /** Softcap. */
  CAP {
    @Override
    <T> T apply(ModifierArithmetic<T> a, T score) {
      return a.times(a.tanh(a.dividedBy(score, a.number(20))), a.number(20));
    }
  },
  /** A factor of each head, which may be negative. */
  TEMPERATURE {
    @Override
    <T> T apply(ModifierArithmetic<T> a, T score) {
      return a.times(a.plus(a.number(1), a.table(a.number(1))), score);
    }
  },
  /** Functions, of scores and of what is learnt. */
  FUNCTIONS {
    @Override
    <T> T apply(ModifierArithmetic<T> a, T score) {
      T gated = a.times(score, a.sigmoid(a.plus(a.table(a.number(2)), a.head())));
      T log = a.log(a.plus(a.number(1), a.abs(score)));
      T root = a.sqrt(a.plus(a.abs(a.times(score, a.table(a.number(3)))), a.number(1)));
      T positive = a.abs(a.plus(a.number(3), a.table(a.number(4))));
      T fading = a.exp(a.minus(a.number(0), positive));
      return a.plus(a.plus(gated, log), a.times(fading, a.min(root, a.number(2))));
    }
  },
  /** Choices by position, and what knows nothing of keys. */
  CHOICES {
    @Override
    <T> T apply(ModifierArithmetic<T> a, T score) {
      T far = a.minus(a.query(), a.number(40));
      T distance = a.abs(a.minus(a.query(), a.key()));
      T chosen =
          a.whereBelow(a.key(), far, a.minus(score, a.number(3)), a.max(score, a.number(-1)));
      T ofRow = a.plus(a.times(a.head(), a.number(0.01)), a.times(a.batch(), a.table(a.head())));
      return a.plus(a.minus(chosen, a.times(a.sqrt(distance), a.number(0.05))), ofRow);
    }
  };

  /** Columns of a table. */
  static final int COLUMNS = 15;

  /** Whether it has a derivative everywhere. */
  boolean isSmooth() {
    return this != FUNCTIONS && this != CHOICES;
  }

  /** Whether it looks anything up. */
  boolean learns() {
    return this != CAP;
  }

  /** What takes the place of a score. */
  abstract <T> T apply(ModifierArithmetic<T> a, T score);

  /** As the C ABI takes it. */
  int[] words() {
    return product().words();
  }

  /** As the product takes it. */
  ScoreModifier product() {
    return ScoreModifier.of((score, at) -> apply(new ModifierTerms(at), score));
  }
}
