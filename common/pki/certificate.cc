#include "common/pki/certificate.h"

#include <arpa/inet.h>

#include <ctime>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/pki/openssl_types.h"

namespace muster::pki {
namespace {

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string Bytes(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string AddressText(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return "";
  return inet_ntop(family, bytes.data(), text, sizeof(text)) == nullptr ? "" : text;
}

void ReadNames(X509* certificate, CertificateFacts* facts) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) facts->uris.push_back(Bytes(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) facts->dns.push_back(Bytes(name->d.dNSName));
    if (name->type == GEN_IPADD) facts->ips.push_back(AddressText(Bytes(name->d.iPAddress)));
  }
}

std::string CommonName(X509* certificate) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  return at < 0 ? "" : Bytes(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string Fingerprint(X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return "";
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace

absl::StatusOr<CertificateFacts> ReadCertificate(std::string_view pem) {
  const X509Ptr certificate = ParseCertificate(pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("it holds no certificate in PEM");
  CertificateFacts facts;
  facts.subject = CommonName(certificate.get());
  ReadNames(certificate.get(), &facts);
  facts.not_before = TimeOf(X509_get0_notBefore(certificate.get()));
  facts.not_after = TimeOf(X509_get0_notAfter(certificate.get()));
  facts.is_authority = X509_check_ca(certificate.get()) == 1;
  facts.fingerprint = Fingerprint(certificate.get());
  ERR_clear_error();
  return facts;
}

absl::StatusOr<security::SpiffeId> IdentityOf(const CertificateFacts& certificate) {
  if (certificate.uris.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("it must carry one URI, spiffe://CLUSTER/ROLE/NAME, and has ", certificate.uris.size(),
                     "; `muster pki issue` makes such certificates"));
  }
  return security::ParseSpiffeId(certificate.uris.front());
}

absl::Status CheckPair(std::string_view certificate_pem, std::string_view key_pem) {
  const X509Ptr certificate = ParseCertificate(certificate_pem);
  if (certificate == nullptr) return absl::InvalidArgumentError("the certificate is none in PEM");
  const KeyPtr key = ParseKey(key_pem);
  if (key == nullptr) return absl::InvalidArgumentError("the key is none in PEM without a passphrase");
  const bool match = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return match ? absl::OkStatus() : absl::InvalidArgumentError("the key is not that of the certificate");
}

}  // namespace muster::pki
