// EIP-712 as the two usual libraries hash and sign it.

import { npm, serve } from "./lines.mjs";

const { hashTypedData } = npm("viem");
const { privateKeyToAccount } = npm("viem/accounts");
const { TypedDataEncoder, Wallet } = npm("ethers");

const libraries = {
  viem: {
    hash: hashTypedData,
    sign: (key, typedData) => privateKeyToAccount(key).signTypedData(typedData),
  },
  ethers: {
    hash: ({ domain, types, message }) => TypedDataEncoder.hash(domain, types, message),
    sign: (key, { domain, types, message }) =>
      new Wallet(key).signTypedData(domain, types, message),
  },
};

serve({
  hash: ({ library, typedData }) => libraries[library].hash(typedData),
  sign: ({ library, key, typedData }) => libraries[library].sign(key, typedData),
});
