package dev.fovea;

/** What an operation over queries and keys is to compute. */
interface MaskedSpec extends OperationSpec {
  MaskOptions masks();

  @Override
  default DType outDType() {
    return masks().outDType();
  }

  @Override
  default float dropout() {
    return masks().dropout();
  }

  @Override
  default String mask() {
    return masks().mask();
  }
}
