"""How sign-in says no: the contract's authentication codes."""

from __future__ import annotations

from difyproj.kernel.errors import DomainError, Forbidden, TooManyRequests


class AuthenticationFailed(DomainError):
    """One answer for a wrong password and for an address that nobody has."""

    code, status = "authentication_failed", 401
    default_message = "Invalid email or password."


class AccountBanned(DomainError):
    code = "account_banned"
    default_message = "The account is banned."


class AccountBannedFromPages(AccountBanned):
    """The same on the Web API."""

    status = 403


class AccountNotFound(DomainError):
    code = "account_not_found"
    default_message = "The account was not found."


class InvalidEmail(DomainError):
    code = "invalid_email"
    default_message = "The e-mail address is not the one the code was sent to."


class InvalidToken(DomainError):
    code = "invalid_or_expired_token"
    default_message = "The token is invalid or has expired."


class WrongCode(DomainError):
    code = "email_code_error"
    default_message = "The code is wrong or has expired."


class PasswordMismatch(DomainError):
    code = "password_mismatch"
    default_message = "The two passwords differ."


class EmailInUse(DomainError):
    code = "email_already_in_use"
    default_message = "An account with this e-mail address exists."


class AlreadyActivated(Forbidden):
    code = "already_activate"
    default_message = "The invitation is not valid any more. Please sign in, or ask to be invited again."


class InvitationMismatch(Forbidden):
    code = "invitation_account_mismatch"
    default_message = "The invitation was made for another e-mail address."


class SendIpLimit(TooManyRequests):
    code = "email_send_ip_limit"
    default_message = "Too many e-mails were asked for from this address. Please try again later."


class LoginLimit(TooManyRequests):
    """For wrong passwords as for wrong codes."""

    code = "email_code_login_limit"
    default_message = "Too many failed attempts to sign in. Please try again later."


class ResetLimit(TooManyRequests):
    code = "email_password_reset_limit"
    default_message = "Too many failed attempts to reset the password. Please try again later."


class RegisterLimit(TooManyRequests):
    code = "email_register_limit"
    default_message = "Too many failed attempts to register. Please try again later."


class ChangeLimit(TooManyRequests):
    code = "email_change_limit"
    default_message = "Too many failed attempts to change the e-mail address. Please try again later."


class TransferLimit(TooManyRequests):
    code = "owner_transfer_limit"
    default_message = "Too many failed attempts to transfer the ownership. Please try again later."


class LoginSendLimit(TooManyRequests):
    code = "email_code_login_rate_limit_exceeded"
    default_message = "Too many codes were sent to this address. Please try again later."


class ResetSendLimit(LoginSendLimit):
    code = "password_reset_rate_limit_exceeded"


class RegisterSendLimit(LoginSendLimit):
    code = "email_register_rate_limit_exceeded"


class ChangeSendLimit(LoginSendLimit):
    code = "email_change_rate_limit_exceeded"


class TransferSendLimit(LoginSendLimit):
    code = "owner_transfer_rate_limit_exceeded"


class DeletionSendLimit(LoginSendLimit):
    code = "email_code_account_deletion_rate_limit_exceeded"
